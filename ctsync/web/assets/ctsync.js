// Sorts, filters and searches the lists of the pages. Every page reads without it.
//
// A list:     <table data-list> or <ul data-list>; data-rows="FILE" names a file with all its rows
// Its rows:   data-filter-NAME="a|b" or '["a","b"]', data-text="searched text", data-when="DAY"
// Columns:    <th data-sort="NAME" data-first="desc">, <td data-value="what to sort by">
// Its tools:  [data-tools] holds input[data-search], select[data-order], [data-count],
//             details[data-facet="NAME"] with data-labels, [data-chosen], [data-new]; [data-pages]
// A form:     <form data-filter="X"> hides rows of [data-filter-rows="X"] and empty [data-filter-group]
// A day:      <form data-pick-day> goes to the link [data-day] of its date, or of the day before it
// The newest: data-as-of="DAY" is the day of the data
"use strict";
(() => {
  const PAGE = 100;
  const LISTED = 12;
  const SEEN = "ctsync-seen";
  const SINCE = "ctsync-since";
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  function element(tag, properties = {}, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }

  function stored(storage, key, value) {
    // a browser may refuse storage, also for files opened from a disk
    try {
      return value === undefined ? storage.getItem(key) : storage.setItem(key, value);
    } catch {
      return null;
    }
  }

  function setAddress(method, query) {
    try {
      history[method](null, "", location.pathname + (query ? `?${query}` : "") + location.hash);
    } catch {
      // a browser may refuse the address of a file
    }
  }

  // --- new since the last look ---------------------------------------------------------------------

  function lastLook() {
    const day = one("[data-as-of]")?.dataset.asOf;
    if (!day) return null;
    let since = stored(sessionStorage, SINCE);
    if (since === null) {
      // pages of one visit compare with the visit before
      since = stored(localStorage, SEEN) || "";
      stored(sessionStorage, SINCE, since);
    }
    if (day > (stored(localStorage, SEEN) || "")) stored(localStorage, SEEN, day);
    return since || null;
  }

  // --- rows ----------------------------------------------------------------------------------------

  const asKey = (text) =>
    text === "" || text == null ? null : /^[+-]?\d+(\.\d+)?$/.test(text) ? Number(text) : text.toLowerCase();

  function asList(text) {
    return text.startsWith("[") ? JSON.parse(text) : text ? text.split("|") : [];
  }

  function readRow(node, columns) {
    const filters = {};
    for (const { name, value } of node.attributes) {
      if (name.startsWith("data-filter-")) filters[name.slice(12)] = asList(value);
    }
    const keys = {};
    for (const { name, index } of columns) {
      const cell = node.children[index];
      keys[name] = asKey(cell?.dataset.value ?? cell?.textContent.trim());
    }
    const text = (node.dataset.text ?? node.textContent).toLowerCase();
    return { node, filters, keys, text, when: node.dataset.when || "" };
  }

  function readSent(sent, columns) {
    const keys = {};
    columns.forEach(({ name }, place) => { keys[name] = asKey(sent.values[place]); });
    return { html: sent.html, filters: sent.filters, keys, text: sent.text, when: sent.when || "" };
  }

  function nodeOf(row) {
    if (!row.node) {
      const holder = document.createElement("template");
      holder.innerHTML = row.html;
      row.node = holder.content.firstElementChild;
    }
    return row.node;
  }

  function compare(a, b) {
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a) < String(b) ? -1 : 1;
  }

  // --- a list and its state ------------------------------------------------------------------------

  class List {
    constructor(root, tools, since) {
      this.root = root;
      this.tools = tools;
      this.since = since;
      this.body = root.tBodies ? root.tBodies[0] : root;
      this.headings = root.tHead ? all("th[data-sort]", root.tHead) : [];
      this.columns = this.headings.map((th) => ({ name: th.dataset.sort, index: th.cellIndex }));
      this.rows = [...this.body.children].map((node) => readRow(node, this.columns));
      this.facets = tools ? all("details[data-facet]", tools) : [];
      this.names = this.facets.map((facet) => facet.dataset.facet);
      this.labels = Object.fromEntries(
        this.facets.map((facet) => [facet.dataset.facet, JSON.parse(facet.dataset.labels || "{}")]),
      );
      this.state = this.readUrl();
      this.addHeadings();
      if (tools) this.addTools();
      addEventListener("popstate", () => { this.state = this.readUrl(); this.show(); });
      this.show();
      if (root.dataset.rows) this.load(root.dataset.rows);
    }

    async load(address) {
      try {
        const sent = await (await fetch(address)).json();
        this.rows = sent.map((row) => readSent(row, this.columns));
        this.isPart = false;
      } catch {
        this.isPart = true; // a file opened from a disk: only the rows of this page are known
      }
      this.show();
    }

    readUrl() {
      const query = new URLSearchParams(location.search);
      const chosen = {};
      for (const name of this.names) {
        const values = query.getAll(name);
        if (values.length) chosen[name] = values;
      }
      return {
        q: query.get("q") || "",
        sort: query.get("sort") || "",
        down: query.get("dir") === "desc",
        page: Math.max(1, Number.parseInt(query.get("page"), 10) || 1),
        isNew: query.get("new") === "1",
        chosen,
      };
    }

    writeUrl(isStep) {
      const { q, sort, down, page, isNew, chosen } = this.state;
      const query = new URLSearchParams();
      if (q) query.set("q", q);
      for (const name of this.names) for (const value of chosen[name] || []) query.append(name, value);
      if (isNew) query.set("new", "1");
      if (sort) query.set("sort", sort);
      if (sort && down) query.set("dir", "desc");
      if (page > 1) query.set("page", String(page));
      setAddress(isStep ? "pushState" : "replaceState", query.toString());
    }

    change(changes, { isStep = true } = {}) {
      this.state = { ...this.state, page: 1, ...changes };
      this.writeUrl(isStep);
      this.show();
    }

    // --- filtering and sorting ---

    found() {
      const { q, isNew, chosen } = this.state;
      const words = q.toLowerCase().split(/\s+/).filter(Boolean);
      const wanted = Object.entries(chosen);
      const counts = Object.fromEntries(this.names.map((name) => [name, new Map()]));
      const rows = [];
      for (const row of this.rows) {
        if (isNew && !(this.since && row.when > this.since)) continue;
        if (!words.every((word) => row.text.includes(word))) continue;
        const failed = wanted.filter(
          ([name, values]) => !(row.filters[name] || []).some((value) => values.includes(value)),
        );
        if (!failed.length) rows.push(row);
        if (failed.length > 1) continue;
        // a facet counts the rows that pass all other filters
        for (const name of failed.length ? [failed[0][0]] : this.names) {
          for (const value of row.filters[name] || []) {
            counts[name].set(value, (counts[name].get(value) || 0) + 1);
          }
        }
      }
      return { rows, counts };
    }

    sorted(rows) {
      const { sort, down } = this.state;
      if (!this.columns.some(({ name }) => name === sort)) return rows;
      const known = rows.filter((row) => row.keys[sort] !== null);
      const unknown = rows.filter((row) => row.keys[sort] === null);
      known.sort((a, b) => (down ? -1 : 1) * compare(a.keys[sort], b.keys[sort]));
      return [...known, ...unknown];
    }

    // --- showing ---

    show() {
      const { rows, counts } = this.found();
      const pages = Math.max(1, Math.ceil(rows.length / PAGE));
      const page = Math.min(this.state.page, pages);
      const shown = this.sorted(rows).slice((page - 1) * PAGE, page * PAGE);
      this.body.replaceChildren(...shown.map((row) => this.marked(row)));
      for (const th of this.headings) {
        const direction = this.state.down ? "descending" : "ascending";
        th.ariaSort = th.dataset.sort === this.state.sort ? direction : null;
      }
      if (!this.tools) return;
      this.showTools(rows.length, counts);
      this.showPages(page, pages);
    }

    marked(row) {
      const node = nodeOf(row);
      if (this.since && row.when > this.since && !one(".mark.new", node)) {
        (one("a", node) || node).after(" ", element("span", { className: "mark new", textContent: "New" }));
      }
      return node;
    }

    showTools(found, counts) {
      const { q, sort, down, chosen, isNew } = this.state;
      const search = one("[data-search]", this.tools);
      if (search && search.value !== q) search.value = q;
      const order = one("[data-order]", this.tools);
      if (order) order.value = sort ? `${sort} ${down ? "desc" : "asc"}` : "";
      const count = one("[data-count]", this.tools);
      const isAll = found === this.rows.length;
      const part = this.isPart ? ", of this page only" : "";
      if (count) count.textContent = (isAll ? `${found}` : `${found} of ${this.rows.length}`) + part;
      const fresh = one("[data-new]", this.tools);
      if (fresh && this.since) {
        const number = this.rows.filter((row) => row.when > this.since).length;
        fresh.hidden = false;
        fresh.setAttribute("aria-pressed", String(isNew));
        fresh.textContent = `${number} new since ${this.since}`;
      }
      for (const facet of this.facets) this.showFacet(facet, counts[facet.dataset.facet]);
      const marks = Object.entries(chosen).flatMap(([name, values]) =>
        values.map((value) => {
          const words = this.label(name, value);
          return this.button(`${words} ×`, () => this.choose(name, value, false), `Remove the filter ${words}`);
        }),
      );
      one("[data-chosen]", this.tools)?.replaceChildren(...marks);
    }

    label(name, value) {
      return this.labels[name][value] || value;
    }

    choose(name, value, isChosen) {
      const others = (this.state.chosen[name] || []).filter((other) => other !== value);
      const chosen = { ...this.state.chosen, [name]: isChosen ? [...others, value] : others };
      if (!chosen[name].length) delete chosen[name];
      this.change({ chosen });
    }

    showFacet(facet, counts) {
      const name = facet.dataset.facet;
      const chosen = this.state.chosen[name] || [];
      const part = (one("input[type=search]", facet)?.value || "").toLowerCase();
      for (const value of chosen) if (!counts.has(value)) counts.set(value, 0);
      const values = [...counts].filter(([value]) => this.label(name, value).toLowerCase().includes(part));
      values.sort((a, b) => chosen.includes(b[0]) - chosen.includes(a[0]) || b[1] - a[1] || compare(a[0], b[0]));
      const focused = document.activeElement?.closest("li")?.dataset.value;
      const items = values.slice(0, Math.max(LISTED, chosen.length)).map(([value, count]) => {
        const box = element("input", { type: "checkbox", checked: chosen.includes(value) });
        box.addEventListener("change", () => this.choose(name, value, box.checked));
        const words = element("span", { textContent: this.label(name, value) });
        const number = element("span", { className: "soft", textContent: String(count) });
        const item = element("li", {}, element("label", {}, box, words, number));
        item.dataset.value = value;
        return item;
      });
      const more = values.length - items.length;
      if (more > 0) items.push(element("li", { className: "soft", textContent: `and ${more} more: type to find them` }));
      const listing = one("ul", facet);
      const isInside = listing.contains(document.activeElement);
      listing.replaceChildren(...items);
      if (isInside) items.find((item) => item.dataset.value === focused)?.querySelector("input").focus();
      facet.classList.toggle("is-chosen", chosen.length > 0);
    }

    showPages(page, pages) {
      const place = one("[data-pages]");
      if (!place) return;
      const step = (words, to) => {
        const button = this.button(words, () => { this.change({ page: to }); this.root.scrollIntoView(); });
        button.disabled = to < 1 || to > pages;
        return button;
      };
      const parts = [step("Previous", page - 1), ` Page ${page} of ${pages} `, step("Next", page + 1)];
      place.replaceChildren(...(pages > 1 ? parts : []));
    }

    // --- controls ---

    button(words, action, label = words) {
      const made = element("button", { type: "button", textContent: words, ariaLabel: label });
      made.addEventListener("click", action);
      return made;
    }

    sortBy(name) {
      const isSame = this.state.sort === name;
      const first = this.headings.find((th) => th.dataset.sort === name)?.dataset.first === "desc";
      this.change({ sort: name, down: isSame ? !this.state.down : first });
    }

    addHeadings() {
      for (const th of this.headings) {
        const button = element("button", { type: "button", className: "sort" }, ...th.childNodes);
        button.addEventListener("click", () => this.sortBy(th.dataset.sort));
        th.replaceChildren(button);
      }
    }

    addTools() {
      this.tools.hidden = false;
      one("[data-pages-of-files]")?.remove();
      const search = one("[data-search]", this.tools);
      let wait;
      search?.addEventListener("input", () => {
        clearTimeout(wait);
        wait = setTimeout(() => this.change({ q: search.value.trim() }, { isStep: false }), 80);
      });
      search?.form?.addEventListener("submit", (event) => event.preventDefault());
      one("[data-order]", this.tools)?.addEventListener("change", (event) => {
        const [sort, direction] = event.target.value.split(" ");
        this.change({ sort: sort || "", down: direction === "desc" });
      });
      one("[data-new]", this.tools)?.addEventListener("click", () => this.change({ isNew: !this.state.isNew }));
      for (const facet of this.facets) {
        const words = one("summary", facet).textContent.trim();
        const field = element("input", { type: "search", placeholder: "Find" });
        field.setAttribute("aria-label", `Find in ${words}`);
        field.addEventListener("input", () => this.showFacet(facet, this.found().counts[facet.dataset.facet]));
        facet.append(element("div", { className: "panel" }, field, element("ul")));
        facet.addEventListener("toggle", () => {
          if (facet.open) for (const other of this.facets) if (other !== facet) other.open = false;
        });
      }
      document.addEventListener("click", (event) => {
        if (!event.target.isConnected) return; // a checkbox of a list that was drawn again
        for (const facet of this.facets) if (facet.open && !facet.contains(event.target)) facet.open = false;
      });
    }
  }

  // --- keyboard ------------------------------------------------------------------------------------

  function onKey(event) {
    const target = event.target;
    const isTyping = target.matches("input, select, textarea");
    const search = one("[data-search]");
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/" && search && !isTyping) {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "Escape") {
      const open = target.closest("details[open]");
      if (open) {
        open.open = false;
        one("summary", open).focus();
      }
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const inList = target.closest("[data-list]");
      if (inList ? isTyping : target !== search && target !== document.body) return;
      const links = all("[data-list] > tbody > tr, [data-list] > li").map((row) => one("a", row)).filter(Boolean);
      const row = target.closest("tr, li");
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
      if (name === "text") return value.toLowerCase().split(/\s+/).every((word) => row.text.includes(word));
      if (name === "from") return row.filters.day[0] >= value;
      if (name === "to") return row.filters.day[0] <= value;
      return (row.filters[name] || []).includes(value);
    };
    const show = () => {
      const filled = fields.filter((field) => field.value);
      for (const row of rows) row.node.hidden = !filled.every((field) => passes(row, field));
      for (const group of all("[data-filter-group]")) group.hidden = !one("tbody > tr:not([hidden])", group);
      const found = rows.filter((row) => !row.node.hidden).length;
      if (form.elements.count) form.elements.count.value = filled.length ? `${found} of ${rows.length}` : `${rows.length}`;
    };
    const query = new URLSearchParams(location.search);
    for (const field of fields) field.value = query.get(field.name) || "";
    form.hidden = false;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => {
      const filled = fields.filter((field) => field.value).map((field) => [field.name, field.value]);
      const text = new URLSearchParams(filled).toString();
      setAddress("replaceState", text);
      show();
    });
    show();
  }

  function addDays(form) {
    const field = one("input[type=date]", form);
    const links = all("a[data-day]").sort((a, b) => compare(a.dataset.day, b.dataset.day));
    if (!field || !links.length) return;
    form.hidden = false;
    const go = (event) => {
      event.preventDefault();
      // the registry has no data on some days: take the last day before
      const link = links.filter(({ dataset }) => dataset.day <= field.value).pop() || links[0];
      if (field.value) location.href = link.href;
    };
    form.addEventListener("submit", go);
    field.addEventListener("change", go);
  }

  const since = lastLook();
  for (const root of all("[data-list]")) new List(root, one("[data-tools]"), since);
  all("form[data-filter]").forEach(addFilter);
  all("form[data-pick-day]").forEach(addDays);
  document.addEventListener("keydown", onKey);
})();
