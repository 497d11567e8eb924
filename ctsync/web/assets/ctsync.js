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

  function attempt(action) {
    // a browser may refuse storage, and the address of a file
    try {
      return action();
    } catch {
      return null;
    }
  }

  const countOf = (found, every) => (found === every ? `${every}` : `${found} of ${every}`);

  function setAddress(method, query) {
    const address = location.pathname + (query ? `?${query}` : "") + location.hash;
    attempt(() => history[method](null, "", address));
  }

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

  // --- rows ----------------------------------------------------------------------------------------

  const asKey = (text) =>
    text === "" || text == null ? null : /^[+-]?\d+(\.\d+)?$/.test(text) ? Number(text) : text.toLowerCase();

  const asList = (text) => (text.startsWith("[") ? JSON.parse(text) : text ? text.split("|") : []);

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

  const readSent = (sent, columns) =>
    ({ ...sent, keys: Object.fromEntries(columns.map(({ name }, place) => [name, asKey(sent.values[place])])) });

  function nodeOf(row) {
    if (!row.node) {
      const holder = document.createElement("template");
      holder.innerHTML = row.html;
      row.node = holder.content.firstElementChild;
    }
    return row.node;
  }

  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number" ? a - b : a === b ? 0 : String(a) < String(b) ? -1 : 1;

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
      this.labels = {};
      for (const { dataset } of this.facets) this.labels[dataset.facet] = JSON.parse(dataset.labels || "{}");
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
      const given = this.names.filter((name) => query.has(name));
      return {
        q: query.get("q") || "",
        sort: query.get("sort") || "",
        down: query.get("dir") === "desc",
        page: Math.max(1, Number.parseInt(query.get("page"), 10) || 1),
        isNew: query.get("new") === "1",
        chosen: Object.fromEntries(given.map((name) => [name, query.getAll(name)])),
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

    change(changes, isStep = true) {
      this.state = { ...this.state, page: 1, ...changes };
      this.writeUrl(isStep);
      this.show();
    }

    found() {
      const { q, isNew, chosen } = this.state;
      const words = q.toLowerCase().split(/\s+/).filter(Boolean);
      const wanted = Object.entries(chosen);
      const counts = Object.fromEntries(this.names.map((name) => [name, new Map()]));
      const rows = [];
      for (const row of this.rows) {
        if (isNew && !(this.since && row.when > this.since)) continue;
        if (!words.every((word) => row.text.includes(word))) continue;
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
      if (search && search.value.trim() !== q) search.value = q;
      const order = one("[data-order]", this.tools);
      if (order) order.value = sort ? `${sort} ${down ? "desc" : "asc"}` : "";
      const count = one("[data-count]", this.tools);
      if (count) count.textContent = countOf(found, this.rows.length) + (this.isPart ? ", of this page only" : "");
      const fresh = one("[data-new]", this.tools);
      if (fresh && this.since) {
        const number = this.rows.filter((row) => row.when > this.since).length;
        fresh.hidden = false;
        fresh.setAttribute("aria-pressed", String(isNew));
        fresh.textContent = `${number} new since ${this.since}`;
      }
      for (const facet of this.facets) {
        facet.classList.toggle("is-chosen", facet.dataset.facet in chosen);
        if (facet.open) this.showFacet(facet, counts);
      }
      const mark = (name, value, words = this.labels[name][value] || value) =>
        this.button(`${words} ×`, () => this.choose(name, value, false), `Remove the filter ${words}`);
      const marks = Object.entries(chosen).flatMap(([name, values]) => values.map((value) => mark(name, value)));
      one("[data-chosen]", this.tools)?.replaceChildren(...marks);
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
        const box = element("input", { type: "checkbox", checked: chosen.includes(value) });
        box.addEventListener("change", () => this.choose(name, value, box.checked));
        const words = element("span", { textContent: this.labels[name][value] || value });
        const number = element("span", { className: "soft", textContent: String(count) });
        const item = element("li", {}, element("label", {}, box, words, number));
        item.dataset.value = value;
        return item;
      });
      const more = values.length - items.length;
      if (more) items.push(element("li", { className: "soft", textContent: `and ${more} more: type to find them` }));
      const listing = one("ul", facet);
      const focused = listing.contains(document.activeElement) && document.activeElement.closest("li").dataset.value;
      listing.replaceChildren(...items);
      if (focused) items.find((item) => item.dataset.value === focused)?.querySelector("input").focus();
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
      const search = one("[data-search]", this.tools);
      let wait;
      search?.addEventListener("input", () => {
        clearTimeout(wait);
        wait = setTimeout(() => this.change({ q: search.value.trim() }, false), 80);
      });
      search?.form?.addEventListener("submit", (event) => event.preventDefault());
      one("[data-order]", this.tools)?.addEventListener("change", (event) => {
        const [sort, direction] = event.target.value.split(" ");
        this.change({ sort: sort || "", down: direction === "desc" });
      });
      one("[data-new]", this.tools)?.addEventListener("click", () => this.change({ isNew: !this.state.isNew }));
      for (const facet of this.facets) {
        const words = one("summary", facet).textContent.trim();
        const field = element("input", { type: "search", placeholder: "Find", ariaLabel: `Find in ${words}` });
        const draw = () => this.showFacet(facet, this.found().counts);
        field.addEventListener("input", draw);
        facet.append(element("div", { className: "panel" }, field, element("ul")));
        facet.addEventListener("toggle", () => {
          if (facet.open) draw();
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
    } else if (event.key === "Escape") {
      const open = target.closest("details[open]");
      if (open) one("summary", open).focus();
      if (open) open.open = false;
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const inList = target.closest("[data-list]");
      if (inList ? isTyping : target !== search && target !== document.body) return;
      const links = all("[data-list] > tbody > tr, [data-list] > li").map((row) => one("a", row)).filter(Boolean);
      const here = links.findIndex((link) => target.closest("tr, li")?.contains(link));
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
    const query = new URLSearchParams(location.search);
    for (const field of fields) field.value = query.get(field.name) || "";
    form.hidden = false;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => {
      const filled = fields.filter((field) => field.value).map((field) => [field.name, field.value]);
      setAddress("replaceState", new URLSearchParams(filled).toString());
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
