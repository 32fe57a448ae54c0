"use strict";
// The page is whole without this; it only makes long lists easier to search.
(() => {
  // Filters items by the words that are typed and by the values that are chosen.
  const filtering = (filters, items, verb, done = () => {}) => {
    const controls = Array.from(filters.querySelectorAll("[name]"));
    const words = controls.find((each) => each.name === "words");
    const chosen = controls.filter((each) => each.name !== "words" && each.name !== "order");
    const result = filters.querySelector("output");
    const texts = new Map(items.map((item) => [item, item.textContent.toLowerCase()]));
    const matches = (item, each) =>
      each.value === "" ||
      (each.name === "codes"
        ? item.dataset.codes.split(" ").includes(each.value)
        : (item.dataset[each.name] ?? "") === each.value);
    const filter = () => {
      const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const item of items) {
        const isShown =
          chosen.every((each) => matches(item, each)) &&
          wanted.every((word) => texts.get(item).includes(word));
        item.hidden = !isShown;
        shown += isShown ? 1 : 0;
      }
      result.textContent = `${shown} of ${items.length} ${verb}`;
      done();
    };
    words.addEventListener("input", filter);
    for (const each of chosen) each.addEventListener("change", filter);
    filters.hidden = false;
    filter();
  };

  const list = document.querySelector("ol.callers");
  const ofCallers = document.querySelector('.filters[data-for="callers"]');
  if (list && ofCallers) {
    const order = ofCallers.querySelector("[name=order]");
    const items = Array.from(list.children);
    const compare = {
      place: (a, b) => a.dataset.place - b.dataset.place,
      v1: (a, b) => b.dataset.v1 - a.dataset.v1,
      last: (a, b) => (a.dataset.last < b.dataset.last ? 1 : a.dataset.last > b.dataset.last ? -1 : 0),
      hosts: (a, b) => b.dataset.hosts - a.dataset.hosts,
    };
    order.addEventListener("change", () => {
      // Equal ones stay in the report's order.
      items.sort((a, b) => compare[order.value](a, b) || compare.place(a, b));
      list.append(...items);
    });
    filtering(ofCallers, items, "shown");
  }

  const table = document.querySelector("table.hosts");
  const ofHosts = document.querySelector('.filters[data-for="hosts"]');
  if (table && ofHosts) {
    const body = table.tBodies[0];
    const rows = Array.from(body.rows);
    const places = new Map(rows.map((row, place) => [row, place]));
    const heads = Array.from(table.tHead.rows[0].cells);
    const order = ofHosts.querySelector("[name=order]");
    const collator = new Intl.Collator("en", { numeric: true });
    const key = (row, column) => {
      const cell = row.cells[column];
      return cell.dataset.sort ?? cell.textContent.trim().replaceAll(",", "");
    };
    // What a person reads at once; a button shows the rest, and paper has it all.
    const atOnce = 50;
    const all = document.querySelector("button.all");
    let isWhole = false;
    const limit = () => {
      const found = rows.filter((row) => !row.hidden);
      found.forEach((row, place) => row.classList.toggle("later", !isWhole && place >= atOnce));
      all.hidden = isWhole || found.length <= atOnce;
      all.textContent = `Show all ${found.length} hosts`;
    };
    all.addEventListener("click", () => {
      const next = rows.filter((row) => !row.hidden)[atOnce];
      isWhole = true;
      limit();
      // The button is gone, and with it the focus.
      next.tabIndex = -1;
      next.focus();
    });
    const sort = (column, direction) => {
      const keys = new Map(rows.map((row) => [row, column < 0 ? "" : key(row, column)]));
      rows.sort(
        (a, b) =>
          direction * collator.compare(keys.get(a), keys.get(b)) || places.get(a) - places.get(b),
      );
      body.append(...rows);
      limit();
      heads.forEach((head, place) => {
        if (place === column) {
          head.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
        } else {
          head.removeAttribute("aria-sort");
        }
      });
      order.value = column < 0 ? "" : `${column} ${direction}`;
    };
    heads.forEach((head, column) => {
      const name = head.textContent;
      const first = head.classList.contains("number") ? -1 : 1; // the largest numbers first
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = name;
      button.addEventListener("click", () => {
        const now = { ascending: 1, descending: -1 }[head.getAttribute("aria-sort")];
        sort(column, now ? -now : first);
      });
      head.replaceChildren(button);
      for (const direction of [first, -first]) {
        const label = `${name} ${direction > 0 ? "↑" : "↓"}`;
        order.append(new Option(label, `${column} ${direction}`));
      }
    });
    order.addEventListener("change", () => {
      const [column, direction] = order.value === "" ? [-1, 1] : order.value.split(" ").map(Number);
      sort(column, direction);
    });
    filtering(ofHosts, rows, "found", limit);
  }

  const openTarget = () => {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (target instanceof HTMLDetailsElement) {
      target.open = true;
      target.parentElement.hidden = false;
      target.querySelector("summary").focus();
    }
  };
  addEventListener("hashchange", openTarget);
  openTarget();

  // For browsers whose style sheets cannot open them on paper.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = Array.from(document.querySelectorAll("details:not([open])"));
    for (const each of opened) each.open = true;
  });
  addEventListener("afterprint", () => {
    for (const each of opened) each.open = false;
  });
})();
