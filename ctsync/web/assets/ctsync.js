// Sorts, filters and searches the lists of the pages. Every page reads without it.
// A list:     <table data-list>; data-rows="FILE" names a file with all its rows
// Its rows:   data-filter-NAME="a" or '["a","b"]', data-text="searched text", data-when="DAY"
// Columns:    <th data-sort="NAME" data-first="desc">, <td data-value="what to sort by">
// Its tools:  [data-tools] holds input[data-search], select[data-order], [data-count],
//             details[data-facet="NAME"] with data-labels, [data-chosen], [data-new]; [data-pages]
// A form:     <form data-filter="X"> hides rows of [data-filter-rows="X"] and empty [data-filter-group]
// A server:   <form data-served> asks for its list as one types, and replaces each [data-part];
//             [data-said] says why the server refused
// A day:      <form data-pick-day> goes to the link [data-day] of its date, or of the day before it
// The newest: data-as-of="DAY" is the day of the data; a[data-since] links to later changes
"use strict";
(() => {
  const PAGE = 100;
  const LISTED = 12;
  const ROWS = "[data-list] > tbody > tr, section.of";
  const SEEN = "ctsync-seen";
  const SINCE = "ctsync-since";
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const prevent = (event) => event.preventDefault();
  // calls the action once no further event has come for some milliseconds
  const paused = (action, pause, wait) => (event) => { clearTimeout(wait); wait = setTimeout(action, pause, event); };
  const hasWords = (text, words) => words.toLowerCase().split(/\s+/).every((word) => text.includes(word));

  function element(tag, properties = {}, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }

  // a browser may refuse storage, and the address of a file
  const attempt = (action) => { try { return action(); } catch { return null; } };
  const countOf = (found, every) => (found === every ? `${every}` : `${found} of ${every}`);
  const queryOf = (pairs) => new URLSearchParams(pairs.filter(([, value]) => value)).toString();
  const setAddress = (method, query) =>
    attempt(() => history[method](null, "", location.pathname + (query ? `?${query}` : "") + location.hash));

  // --- new since the last look ---------------------------------------------------------------------
  // the day of the data at the visit before this one; pages of one visit compare with the same day
  function lastLook() {
    const day = one("[data-as-of]")?.dataset.asOf;
    if (!day) return null;
    const seen = attempt(() => localStorage.getItem(SEEN)) || "";
    const since = attempt(() => sessionStorage.getItem(SINCE)) ?? seen;
    attempt(() => sessionStorage.setItem(SINCE, since));
    if (day > seen) attempt(() => localStorage.setItem(SEEN, day));
    return since || null;
  }

  const since = lastLook();
  const isNew = (when) => Boolean(since && when > since);

  function mark(node, when = node.dataset.when) {
    if (!isNew(when) || one(".mark.new", node)) return;
    (one("a", node) || node).after(" ", element("span", { className: "mark new", textContent: "New" }));
  }

  function showSince(link) {
    if (!isNew(one("[data-as-of]")?.dataset.asOf)) return;
    const next = attempt(() => new Date(Date.parse(since) + 864e5).toISOString().slice(0, 10));
    link.href += `?from=${next}`;
    link.textContent = `Changes since your last look (registry data of ${since})`;
    link.parentElement.hidden = !next;
  }

  // --- rows ----------------------------------------------------------------------------------------
  const asKey = (text) =>
    text === "" || text == null ? null : /^[+-]?\d+(\.\d+)?$/.test(text) ? Number(text) : text.toLowerCase();

  function readRow(node, columns) {
    const filters = {};
    for (const { name, value } of node.attributes) {
      if (name.startsWith("data-filter-")) filters[name.slice(12)] = value.startsWith("[") ? JSON.parse(value) : [value];
    }
    const keys = {};
    for (const { name, index } of columns) keys[name] = asKey(node.children[index].dataset.value);
    const text = (node.dataset.text ?? node.textContent).toLowerCase();
    return { node, filters, keys, text, when: node.dataset.when || "" };
  }

  function nodeOf(row) {
    row.node ||= element("template", { innerHTML: row.html }).content.firstElementChild;
    mark(row.node, row.when);
    return row.node;
  }

  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number" ? a - b : a === b ? 0 : String(a) < String(b) ? -1 : 1;

  // --- a list and its state ------------------------------------------------------------------------
  class List {
    constructor(root, tools) {
      this.root = root;
      this.tools = tools;
      this.body = root.tBodies[0];
      this.headings = all("th[data-sort]", root.tHead);
      this.columns = this.headings.map((th) => ({ name: th.dataset.sort, index: th.cellIndex }));
      this.rows = [...this.body.children].map((node) => readRow(node, this.columns));
      this.facets = all("details[data-facet]", tools);
      this.names = this.facets.map((facet) => facet.dataset.facet);
      const labels = ({ dataset }) => [dataset.facet, JSON.parse(dataset.labels || "{}")];
      this.labels = Object.fromEntries(this.facets.map(labels));
      this.state = this.readUrl();
      this.addHeadings();
      this.addTools();
      addEventListener("popstate", () => { this.state = this.readUrl(); this.show(); });
      this.show();
      if (root.dataset.rows) this.load(root.dataset.rows);
    }

    async load(address) {
      try {
        const sent = await (await fetch(address)).json();
        const keys = (values) => Object.fromEntries(this.columns.map(({ name }, n) => [name, asKey(values[n])]));
        this.rows = sent.map((row) => ({ ...row, keys: keys(row.values) }));
      } catch {
        this.isPart = true; // a file opened from a disk: only the rows of this page are known
      }
      this.show();
    }

    readUrl() {
      const query = new URLSearchParams(location.search);
      const given = this.names.filter((name) => query.has(name));
      return {
        q: query.get("q") || "",
        sort: query.get("sort") || "",
        down: query.get("dir") === "desc",
        page: Math.max(1, Number.parseInt(query.get("page"), 10) || 1),
        onlyNew: query.get("new") === "1",
        chosen: Object.fromEntries(given.map((name) => [name, query.getAll(name)])),
      };
    }

    change(changes, isStep = true) {
      this.state = { ...this.state, page: 1, ...changes };
      const { q, sort, down, page, onlyNew, chosen } = this.state;
      const filters = Object.entries(chosen).flatMap(([name, values]) => values.map((value) => [name, value]));
      const order = [["sort", sort], ["dir", sort && down ? "desc" : ""], ["page", page > 1 ? page : ""]];
      const query = queryOf([["q", q], ...filters, ["new", onlyNew ? "1" : ""], ...order]);
      setAddress(isStep ? "pushState" : "replaceState", query);
      this.show();
    }

    found() {
      const { q, onlyNew, chosen } = this.state;
      const wanted = Object.entries(chosen);
      const counts = Object.fromEntries(this.names.map((name) => [name, new Map()]));
      const rows = [];
      for (const row of this.rows) {
        if ((onlyNew && !isNew(row.when)) || !hasWords(row.text, q)) continue;
        const failed = wanted.filter(([name, values]) => !row.filters[name]?.some((value) => values.includes(value)));
        if (!failed.length) rows.push(row);
        if (failed.length > 1) continue;
        // a facet counts the rows that pass all other filters
        for (const name of failed.length ? [failed[0][0]] : this.names) {
          const count = counts[name];
          for (const value of row.filters[name] || []) count.set(value, (count.get(value) || 0) + 1);
        }
      }
      return { rows, counts };
    }

    sorted(rows) {
      const { sort, down } = this.state;
      if (!this.columns.some(({ name }) => name === sort)) return rows;
      const known = rows.filter((row) => row.keys[sort] !== null);
      known.sort((a, b) => (down ? -1 : 1) * compare(a.keys[sort], b.keys[sort]));
      return [...known, ...rows.filter((row) => row.keys[sort] === null)];
    }

    show() {
      const { rows, counts } = this.found();
      const pages = Math.max(1, Math.ceil(rows.length / PAGE));
      const page = Math.min(this.state.page, pages);
      this.body.replaceChildren(...this.sorted(rows).slice((page - 1) * PAGE, page * PAGE).map(nodeOf));
      const direction = this.state.down ? "descending" : "ascending";
      for (const th of this.headings) th.ariaSort = th.dataset.sort === this.state.sort ? direction : null;
      this.showTools(rows.length, counts);
      this.showPages(page, pages);
    }

    showTools(found, counts) {
      const { q, sort, down, chosen, onlyNew } = this.state;
      const part = (name) => one(`[data-${name}]`, this.tools);
      if (part("search").value.trim() !== q) part("search").value = q;
      part("order").value = sort ? `${sort} ${down ? "desc" : "asc"}` : "";
      part("count").textContent = countOf(found, this.rows.length) + (this.isPart ? ", of this page only" : "");
      const fresh = part("new");
      if (since) {
        fresh.hidden = false;
        fresh.setAttribute("aria-pressed", String(onlyNew));
        fresh.textContent = `${this.rows.filter((row) => isNew(row.when)).length} new since ${since}`;
      }
      for (const facet of this.facets) {
        facet.classList.toggle("is-chosen", facet.dataset.facet in chosen);
        if (facet.open) this.showFacet(facet, counts);
      }
      const chip = (name, value, words = this.labels[name][value] || value) =>
        this.button(`${words} ×`, () => this.choose(name, value, false), `Remove the filter ${words}`);
      const marks = Object.entries(chosen).flatMap(([name, values]) => values.map((value) => chip(name, value)));
      part("chosen").replaceChildren(...marks);
    }

    choose(name, value, isChosen) {
      const others = (this.state.chosen[name] || []).filter((other) => other !== value);
      const chosen = { ...this.state.chosen, [name]: isChosen ? [...others, value] : others };
      if (!chosen[name].length) delete chosen[name];
      this.change({ chosen });
    }

    showFacet(facet, { [facet.dataset.facet]: counts }) {
      const name = facet.dataset.facet;
      const chosen = this.state.chosen[name] || [];
      const part = (one("input[type=search]", facet)?.value || "").toLowerCase();
      for (const value of chosen) if (!counts.has(value)) counts.set(value, 0);
      const values = [...counts].filter(([value]) => (this.labels[name][value] || value).toLowerCase().includes(part));
      values.sort((a, b) => chosen.includes(b[0]) - chosen.includes(a[0]) || b[1] - a[1] || compare(a[0], b[0]));
      const items = values.slice(0, Math.max(LISTED, chosen.length)).map(([value, count]) => {
        const box = element("input", { type: "checkbox", value, checked: chosen.includes(value) });
        box.addEventListener("change", () => this.choose(name, value, box.checked));
        const words = element("span", { textContent: this.labels[name][value] || value });
        const number = element("span", { className: "soft", textContent: String(count) });
        return element("li", {}, element("label", {}, box, words, number));
      });
      const more = values.length - items.length;
      if (more) items.push(element("li", { className: "soft", textContent: `and ${more} more: type to find them` }));
      const listing = one("ul", facet);
      const focused = listing.contains(document.activeElement) && document.activeElement.value;
      listing.replaceChildren(...items);
      if (focused) all("input", listing).find(({ value }) => value === focused)?.focus();
    }

    showPages(page, pages) {
      const step = (words, to) => {
        const button = this.button(words, () => { this.change({ page: to }); this.root.scrollIntoView(); });
        button.disabled = to < 1 || to > pages;
        return button;
      };
      const parts = [step("Previous", page - 1), ` Page ${page} of ${pages} `, step("Next", page + 1)];
      one("[data-pages]")?.replaceChildren(...(pages > 1 ? parts : []));
    }

    button(words, action, label = words) {
      const made = element("button", { type: "button", textContent: words, ariaLabel: label });
      made.addEventListener("click", action);
      return made;
    }

    addHeadings() {
      for (const th of this.headings) {
        const { sort, first } = th.dataset;
        const down = () => (this.state.sort === sort ? !this.state.down : first === "desc");
        const button = this.button(th.textContent, () => this.change({ sort, down: down() }));
        button.className = "sort";
        th.replaceChildren(button);
      }
    }

    addTools() {
      this.tools.hidden = false;
      for (const nav of all("[data-pages-of-files]")) nav.remove();
      const search = ({ target }) => this.change({ q: target.value.trim() }, false);
      one("[data-search]", this.tools).addEventListener("input", paused(search, 80));
      this.tools.addEventListener("submit", prevent);
      one("[data-order]", this.tools).addEventListener("change", ({ target }) => {
        const [sort, direction] = target.value.split(" ");
        this.change({ sort, down: direction === "desc" });
      });
      one("[data-new]", this.tools).addEventListener("click", () => this.change({ onlyNew: !this.state.onlyNew }));
      for (const facet of this.facets) {
        const words = one("summary", facet).textContent.trim();
        const field = element("input", { type: "search", placeholder: "Find", ariaLabel: `Find in ${words}` });
        const draw = () => this.showFacet(facet, this.found().counts);
        field.addEventListener("input", draw);
        facet.append(element("div", { className: "panel" }, field, element("ul")));
        facet.addEventListener("toggle", () => facet.open && draw());
      }
    }
  }

  // at most one facet is open, and none after a click elsewhere
  const keepOpen = (kept) => {
    for (const facet of all("details[data-facet][open]")) if (facet !== kept) facet.open = false;
  };

  // --- keyboard ------------------------------------------------------------------------------------
  function onKey(event) {
    const target = event.target;
    const isTyping = target.matches("input, select, textarea");
    const search = one("[data-search]");
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/" && search && !isTyping) {
      event.preventDefault();
      search.focus();
    } else if (event.key === "Escape") {
      const open = target.closest("details[open]");
      if (open) one("summary", open).focus();
      if (open) open.open = false;
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const row = target.closest(ROWS);
      if (row ? isTyping : target !== search && target !== document.body) return;
      const links = all(ROWS).map((each) => one("a", each)).filter(Boolean);
      const here = links.findIndex((link) => row?.contains(link));
      const next = links[here + (event.key === "ArrowDown" ? 1 : -1)];
      if (!next && event.key === "ArrowUp" && search && here === 0) search.focus();
      if (!next) return;
      event.preventDefault();
      next.focus();
    }
  }

  // --- forms ---------------------------------------------------------------------------------------
  function addFilter(form) {
    const rows = all(`[data-filter-rows="${form.dataset.filter}"] > tbody > tr`).map((node) => readRow(node, []));
    const fields = [...form.elements].filter((field) => field.name && field.tagName !== "OUTPUT");
    const passes = (row, { name, value }) => {
      if (name === "text") return hasWords(row.text, value);
      if (name === "from") return row.filters.day?.[0] >= value;
      if (name === "to") return row.filters.day?.[0] <= value;
      return (row.filters[name] || []).includes(value);
    };
    const show = () => {
      const filled = fields.filter((field) => field.value);
      for (const row of rows) row.node.hidden = !filled.every((field) => passes(row, field));
      for (const group of all("[data-filter-group]")) group.hidden = !one("tbody > tr:not([hidden])", group);
      const found = rows.filter((row) => !row.node.hidden).length;
      if (form.elements.count) form.elements.count.value = countOf(found, rows.length);
    };
    for (const field of fields) field.value = new URLSearchParams(location.search).get(field.name) || "";
    form.hidden = false;
    form.addEventListener("submit", prevent);
    form.addEventListener("input", () => {
      setAddress("replaceState", queryOf(fields.map(({ name, value }) => [name, value])));
      show();
    });
    show();
  }

  function addServed(form) {
    let asked, shown = location.search;
    const say = (words) => { one("[data-said]", form).textContent = words; };
    const replace = (page) => {
      const { name, value } = document.activeElement;
      const open = all("details[data-facet][open]", form).map((facet) => facet.dataset.facet);
      for (const part of all("[data-part]")) {
        part.replaceChildren(...one(`[data-part="${part.dataset.part}"]`, page).childNodes);
      }
      for (const facet of all("details[data-facet]", form)) facet.open = open.includes(facet.dataset.facet);
      if (name) [...form.elements].find((field) => field.name === name && field.value === value)?.focus();
      for (const node of all("[data-when]")) mark(node);
    };
    const show = async (method) => {
      asked?.abort(); // an answer to an earlier question must not replace a later one
      asked = new AbortController();
      const query = queryOf([...new FormData(form)]);
      try {
        const answer = await fetch(`${location.pathname}?${query}`, { signal: asked.signal });
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        if (!answer.ok) return say((one("[data-said]", page) || one("main p", page))?.textContent || `The server answered ${answer.status}`);
        setAddress(method, query);
        shown = location.search;
        replace(page);
        say("");
      } catch (error) {
        if (error.name !== "AbortError") say("The server does not answer.");
      }
    };
    // a condition is asked once it is complete: with Enter, or with the next change of another field
    const change = ({ target }) => target.name !== "where" && show(target.type === "search" ? "replaceState" : "pushState");
    form.addEventListener("input", paused(change, 250));
    form.addEventListener("submit", (event) => { prevent(event); show("pushState"); });
    addEventListener("popstate", () => location.search !== shown && location.reload());
  }

  function addDays(form) {
    const field = one("input[type=date]", form);
    const links = all("a[data-day]").sort((a, b) => compare(a.dataset.day, b.dataset.day));
    form.hidden = false;
    const go = (event) => {
      prevent(event);
      // the registry has no data on some days: take the last day before
      const link = links.filter(({ dataset }) => dataset.day <= field.value).pop() || links[0];
      if (field.value) location.href = link.href;
    };
    for (const name of ["submit", "change"]) form.addEventListener(name, go);
  }

  for (const root of all('[data-list=""]')) new List(root, one("[data-tools]"));
  all("[data-when]").forEach((node) => mark(node));
  all("a[data-since]").forEach(showSince);
  all("form[data-filter]").forEach(addFilter);
  all("form[data-served]").forEach(addServed);
  all("form[data-pick-day]").forEach(addDays);
  document.addEventListener("keydown", onKey);
  document.addEventListener("toggle", ({ target }) => target.open && keepOpen(target), true);
  // the target is gone if its list was drawn again
  document.addEventListener("click", ({ target }) => target.isConnected && keepOpen(target.closest("details")));
})();
