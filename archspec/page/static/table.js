// The table of the layers: foldable by block, sortable, filterable. Only the rows in view are elements.

const ROW = 28;

/**
 * @typedef {object} Column
 * @property {string} key @property {string} title @property {string} tip @property {(item: Item) => string} text
 * @property {(item: Item) => number | string} value @property {boolean} [bar] whether the cell has a bar of its share
 */

/** @type {Column[]} */
const COLUMNS = [
  { key: "name", title: "layer", tip: "path of the layer or block", text: (item) => item.name, value: (item) => item.path },
  { key: "kind", title: "kind", tip: "kind of layer, or block", text: (item) => item.kind, value: (item) => item.kind },
  { key: "output", title: "output", tip: "height × width × channels, length × channels, or features", text: (item) => dims(item.output), value: (item) => item.output.reduce((a, b) => a * b, 1) },
  { key: "params", title: "parameters", tip: "trainable and frozen", text: (item) => (item.params ? whole(item.params) : ""), value: (item) => item.params, bar: true },
  { key: "macs", title: "MACs", tip: "multiply–adds of convolutions and dense layers", text: (item) => (item.macs ? si(item.macs) : ""), value: (item) => item.macs, bar: true },
  { key: "flops", title: "FLOPs", tip: "2·MACs + element-wise operations", text: (item) => (item.flops ? si(item.flops) : ""), value: (item) => item.flops, bar: true },
  { key: "bytes", title: "activations", tip: "memory of the output", text: (item) => mebibytes(item.bytes), value: (item) => item.bytes, bar: true },
  {
    key: "field", title: "rec. field", tip: "receptive field: height × width in pixels of the input, or length",
    text: (item) => dims(seen(lastLayer(item))), value: (item) => seen(lastLayer(item)).reduce((a, b) => a * b, 1),
  },
];

/** The layer whose output is the item's. @param {Item} item @returns {Layer} */
function lastLayer(item) {
  let at = item;
  while (at.parts.length) at = at.parts[at.parts.length - 1];
  return /** @type {Layer} */ (at.layer);
}

/** The receptive field on the axes of the input that it is one of. @param {Layer} layer */
function seen(layer) {
  if (layer.sees === null) return [];
  return layer.field.size.slice(0, store.network?.model.inputs[layer.sees].shape.length - 1);
}

class Table {
  constructor() {
    this.scroller = byId("table-scroll");
    this.head = byId("table-head");
    this.body = byId("table-body");
    this.filter = byId("table-filter");
    this.flat = byId("table-flat");
    this.said = byId("table-count");
    /** @type {{key: string, down: boolean} | null} */ this.sorting = null;
    /** @type {Item[]} */ this.rows = [];
    this.all = false;
    this._heads();
    this.paint = onceAFrame(() => this._paint());
    this.scroller.addEventListener("scroll", this.paint);
    new ResizeObserver(this.paint).observe(this.scroller);
    this.filter.addEventListener("input", () => this.arrange());
    this.flat.addEventListener("change", () => this.arrange());
    this.body.addEventListener("click", (/** @type {any} */ event) => this._click(event));
    this.body.addEventListener("dblclick", (/** @type {any} */ event) => {
      const item = this._at(event);
      if (item && !event.target.closest("button")) store.reveal(item.path);
    });
    this.body.addEventListener("pointermove", (/** @type {any} */ event) => {
      if (event.pointerType === "mouse") store.hover(this._at(event) ? [this._at(event).path] : [], "table");
    });
    this.body.addEventListener("pointerleave", () => store.hover([], "table"));
    this.scroller.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this._key(event));
    store.on("network open", () => this.arrange());
    this.mark = onceAFrame(() => this._mark());
    store.on("hover", this.mark);
    store.on("select", (from) => {
      if (from !== "table") this.scrollTo(store.selected[0]);
      this.mark();
    });
    addEventListener("beforeprint", () => { this.all = this.rows.length <= 3000; this._paint(); });
    addEventListener("afterprint", () => { this.all = false; this._paint(); });
  }

  _heads() {
    for (const column of COLUMNS) {
      const button = make("button", { type: "button", title: column.tip, onclick: () => this._sort(column) }, column.title);
      this.head.append(make("th", { scope: "col", class: `column-${column.key}`, "data-key": column.key }, button));
    }
  }

  /** Down first, for the largest are looked for; then up; then the order of computation. @param {Column} column */
  _sort(column) {
    const words = column.key === "name" || column.key === "kind";
    if (this.sorting?.key !== column.key) this.sorting = { key: column.key, down: !words };
    else if (this.sorting.down !== words) this.sorting = { key: column.key, down: words };
    else this.sorting = null;
    for (const cell of this.head.children) {
      const mine = cell.dataset.key === this.sorting?.key;
      if (mine) cell.setAttribute("aria-sort", this.sorting?.down ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    }
    this.scroller.scrollTop = 0;
    this.arrange();
  }

  /** Finds the rows that are to be seen, in their order. */
  arrange() {
    const network = store.network;
    if (!network) {
      this.rows = [];
      this.said.textContent = "";
      this.paint();
      return;
    }
    const words = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (/** @type {Item} */ item) => {
      const text = `${item.path} ${item.kind} ${dims(item.output)}`.toLowerCase();
      return words.every((/** @type {string} */ word) => text.includes(word));
    };
    const column = COLUMNS.find((candidate) => candidate.key === this.sorting?.key);
    const sorted = (/** @type {Item[]} */ items) => {
      if (!column) return items;
      const sign = this.sorting?.down ? -1 : 1;
      const order = (/** @type {Item} */ a, /** @type {Item} */ b) => {
        const [x, y] = [column.value(a), column.value(b)];
        const difference = typeof x === "string" ? x.localeCompare(String(y), "en", { numeric: true }) : x - Number(y);
        return sign * difference || a.index - b.index;
      };
      return [...items].sort(order);
    };
    const layers = network.order.filter(fits);
    if (this.flat.checked) this.rows = sorted(layers);
    else {
      const kept = new Set(layers.flatMap((item) => { const chain = []; for (let at = /** @type {Item | null} */ (item); at; at = at.parent) chain.push(at); return chain; }));
      /** @type {Item[]} */ const rows = [];
      const add = (/** @type {Item} */ block) => {
        for (const item of sorted(block.parts)) {
          if (words.length && !kept.has(item)) continue;
          rows.push(item);
          if (item.isBlock && (words.length || store.opened.has(item.path))) add(item);
        }
      };
      add(network.root);
      this.rows = rows;
    }
    this.said.textContent = words.length ? `${whole(layers.length)} of ${counted(network.order.length, "layer")}` : counted(network.order.length, "layer");
    this.scroller.querySelector("table").setAttribute("aria-rowcount", String(this.rows.length + 1));
    this._paint();
  }

  _paint() {
    const height = this.scroller.clientHeight || 400;
    let first = Math.max(0, Math.floor(this.scroller.scrollTop / ROW) - 8);
    let last = Math.min(this.rows.length, first + Math.ceil(height / ROW) + 16);
    if (this.all) [first, last] = [0, this.rows.length];
    const rows = this.rows.slice(first, last).map((item, offset) => this._row(item, first + offset));
    const space = (/** @type {number} */ count) => {
      const row = make("tr", { "aria-hidden": "true", class: "space" }, make("td", { colspan: COLUMNS.length }));
      row.style.height = `${count * ROW}px`;
      return row;
    };
    this.body.replaceChildren(space(first), ...rows, space(this.rows.length - last));
    this._mark();
  }

  _mark() {
    const marked = store.marked();
    const selected = this._near(marked.selected), hovered = this._near(marked.hovered);
    for (const row of this.body.children) {
      const item = store.network?.items.get(row.dataset.path ?? " ");
      if (!item) continue;
      row.classList.toggle("selected", selected.has(item));
      row.classList.toggle("hovered", hovered.has(item));
      row.setAttribute("aria-selected", String(selected.has(item)));
    }
  }

  /** The rows that stand for items: their own, or that of the folded block around them. @param {Item[]} items */
  _near(items) {
    const rows = new Set(items);
    if (!this.flat.checked && store.network) for (const item of items) rows.add(store.network.seen(item, store.opened));
    if (this.flat.checked) for (const item of items) for (const index of item.indices) if (store.network) rows.add(store.network.order[index]);
    return rows;
  }

  /** @param {Item} item @param {number} index */
  _row(item, index) {
    const unfolded = item.isBlock && (store.opened.has(item.path) || this.filter.value.trim() !== "");
    const all = /** @type {any} */ (store.network?.root);
    const row = make("tr", {
      "data-path": item.path, "aria-rowindex": index + 2, "aria-level": this.flat.checked ? 1 : item.depth,
      "aria-expanded": item.isBlock ? String(unfolded) : null, class: item.isBlock ? "block" : null,
    });
    for (const column of COLUMNS) {
      const text = column.key === "name" && this.flat.checked ? item.path : column.text(item);
      const cell = make("td", { class: `column-${column.key}` });
      if (column.key === "name") {
        cell.style.setProperty("--level", String(this.flat.checked ? 0 : item.depth - 1));
        cell.title = item.path;
        cell.append(item.isBlock
          ? make("button", { type: "button", class: "fold", tabindex: -1, "aria-label": `${unfolded ? "fold" : "unfold"} ${item.path}` }, unfolded ? "▾" : "▸")
          : make("span", { class: `dot ${colours(/** @type {Layer} */ (item.layer))}` }));
        cell.append(make("span", { class: "name" }, text));
        if (item.isBlock) cell.append(make("span", { class: "faint" }, ` ${item.count}`));
      } else if (column.bar) {
        const part = Number(column.value(item)) / (all[column.key] || 1);
        cell.style.setProperty("--part", String(part));
        if (part) cell.title = percent(Number(column.value(item)), all[column.key]);
        // Parameters are counted once: here it says where.
        const tie = column.key === "params" && item.tie?.[1] ? item.tie[0] : null;
        cell.append(tie === null ? text : toTie(tie, `= ${tie}`));
      } else cell.append(text);
      row.append(cell);
    }
    return row;
  }

  /** @param {any} event @returns {any} */
  _at(event) {
    const path = event.target.closest("tr")?.dataset.path;
    return path === undefined ? undefined : store.network?.items.get(path);
  }

  /** @param {any} event */
  _click(event) {
    const item = this._at(event);
    if (!item) return;
    if (event.target.closest("button.tie")) return;
    if (event.target.closest("button.fold")) store.toggle(item.path);
    else if (event.shiftKey || event.ctrlKey || event.metaKey) {
      store.select(store.selected.includes(item.path) ? store.selected.filter((path) => path !== item.path) : [item.path, ...store.selected], "table");
    } else store.select([item.path], "table");
  }

  /** @param {KeyboardEvent} event */
  _key(event) {
    if (/** @type {Element} */ (event.target).closest("th")) return;
    const at = this.rows.findIndex((item) => item.path === store.selected[0]);
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / ROW) - 2);
    /** @type {Record<string, number>} */
    const steps = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: this.rows.length - 1 };
    const item = this.rows[at];
    if (event.key in steps && this.rows.length) {
      const next = this.rows[Math.max(0, Math.min(this.rows.length - 1, steps[event.key]))];
      store.select([next.path], "table");
      this.scrollTo(next.path);
    } else if (item?.isBlock && (event.key === "Enter" || event.key === " " || (event.key === "ArrowRight") !== store.opened.has(item.path) && event.key.startsWith("Arrow"))) {
      store.toggle(item.path);
    } else if (event.key === "ArrowLeft" && item?.parent?.path) {
      store.select([item.parent.path], "table");
      this.scrollTo(item.parent.path);
    } else if (event.key === "Enter" && item) store.reveal(item.path);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Brings an item's row, or that of the folded block around it, into view. @param {string | undefined} path */
  scrollTo(path) {
    const item = path === undefined ? undefined : store.network?.items.get(path);
    if (!item) return;
    const near = this._near([item]);
    const index = this.rows.findIndex((row) => near.has(row));
    if (index < 0) return;
    const above = index * ROW, view = this.scroller.clientHeight - ROW - 4;
    if (above < this.scroller.scrollTop) this.scroller.scrollTop = Math.max(0, above - ROW);
    else if (above + ROW > this.scroller.scrollTop + view) this.scroller.scrollTop = above + 2 * ROW - view;
  }
}
