"use strict";
// The page is whole without this; it only makes a long list of callers easier to search.
(() => {
  const list = document.querySelector(".callers");
  const filters = document.querySelector(".filters");
  if (list && filters) {
    const words = filters.querySelector("[name=words]");
    const cause = filters.querySelector("[name=cause]");
    const order = filters.querySelector("[name=order]");
    const result = filters.querySelector("output");
    const items = Array.from(list.children);
    const texts = new Map(items.map((item) => [item, item.textContent.toLowerCase()]));
    const compare = {
      place: (a, b) => a.dataset.place - b.dataset.place,
      v1: (a, b) => b.dataset.v1 - a.dataset.v1,
      last: (a, b) => (a.dataset.last < b.dataset.last ? 1 : a.dataset.last > b.dataset.last ? -1 : 0),
      hosts: (a, b) => b.dataset.hosts - a.dataset.hosts,
    };
    const filter = () => {
      const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const item of items) {
        const isShown =
          (cause.value === "" || item.dataset.cause === cause.value) &&
          wanted.every((word) => texts.get(item).includes(word));
        item.hidden = !isShown;
        shown += isShown ? 1 : 0;
      }
      result.textContent = `${shown} of ${items.length} shown`;
    };
    const sort = () => {
      // Equal ones stay in the report's order.
      items.sort((a, b) => compare[order.value](a, b) || compare.place(a, b));
      list.append(...items);
    };
    words.addEventListener("input", filter);
    cause.addEventListener("change", filter);
    order.addEventListener("change", sort);
    filters.hidden = false;
    filter();
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
