/* Search from file://, where browsers start no Worker: runs the worker's script in a hidden frame. */
(() => {
  if (location.protocol !== "file:") return;

  // as in a worker, but the scripts load one after another without blocking
  const importScripts = (...urls) =>
    urls.reduce(
      (before, url) =>
        before.then(
          () =>
            new Promise((resolve) => {
              const script = document.createElement("script");
              script.src = url;
              script.onload = resolve;
              document.body.appendChild(script);
            }),
        ),
      Promise.resolve(),
    );

  window.Worker = class FrameWorker extends EventTarget {
    constructor(url) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.appendChild(this.frame);
      const inner = this.frame.contentWindow;
      inner.document.open();
      inner.document.write(
        `<html><body><script>window.postMessage = parent.postMessage.bind(parent);` +
          `window.importScripts = ${importScripts};</script>` +
          `<script src="${url}"></script></body></html>`,
      );
      inner.document.close();
      this.inner = inner;
      this.ready = new Promise((resolve) => {
        this.frame.onload = resolve;
      });
      // messages of the frame arrive here, because its postMessage is that of this window
      window.addEventListener("message", (event) => {
        if (event.source !== window && event.source !== inner) return;
        const message = new MessageEvent("message", { data: event.data });
        this.dispatchEvent(message);
        if (this.onmessage) this.onmessage(message);
      });
    }

    postMessage(data) {
      this.ready.then(() => this.inner.dispatchEvent(new MessageEvent("message", { data })));
    }

    terminate() {
      this.frame.remove();
    }
  };
})();
