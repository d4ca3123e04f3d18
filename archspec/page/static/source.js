// The YAML that the network was made of, with its diagnostics in place. Only the lines in view are elements.

const LINE = 20;

class SourceView {
  constructor() {
    this.scroller = byId("source-scroll");
    this.sheet = byId("source-sheet");
    this.files = byId("source-files");
    this.file = 0;
    /** What stands on each row: a line of the text, or the words of a diagnostic. @type {{line: number, problem?: any, text?: string, style?: string}[]} */
    this.rows = [];
    /** @type {string[]} */ this.lines = [];
    /** Layers and blocks by the line that their entries begin in. @type {Map<number, Item[]>} */
    this.begins = new Map();
    /** @type {(line: number) => number} */ this.moved = (line) => line;
    this.paint = onceAFrame(() => this._paint());
    this.mark = onceAFrame(() => this._mark());
    this.scroller.addEventListener("scroll", this.paint);
    new ResizeObserver(this.paint).observe(this.scroller);
    this.sheet.addEventListener("click", (/** @type {any} */ event) => this._click(event));
    this.sheet.addEventListener("pointermove", (/** @type {any} */ event) => {
      if (event.pointerType === "mouse") store.hover(this._items(this._line(event)).map((item) => item.path), "source");
    });
    this.sheet.addEventListener("pointerleave", () => store.hover([], "source"));
    this.scroller.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this._key(event));
    this.printing = false;
    addEventListener("beforeprint", () => { this.printing = this.rows.length <= 3000; this._paint(); });
    addEventListener("afterprint", () => { this.printing = false; this._paint(); });
    store.on("network", () => this.arrange());
    store.on("hover", this.mark);
    store.on("select", (from) => {
      if (from !== "source") this._follow();
      this.mark();
    });
  }

  /** @param {number} file */
  show(file) {
    this.file = file;
    this.arrange();
  }

  /** Sets out the chosen file's lines, each with the diagnostics that point at it. */
  arrange() {
    this.file = Math.min(this.file, Math.max(0, store.sources.length - 1));
    const source = store.sources[this.file];
    this.lines = source ? linesOf(source.text) : [];
    this.moved = this._moves();
    this.begins = new Map();
    for (const item of store.network?.items.values() ?? []) {
      if (!item.lines || !item.path || this._here(item.lines[0]) === false) continue;
      const line = this.moved(item.lines[1]);
      if (line) gather(this.begins, line, item);
    }
    this.rows = [];
    const notes = new Map();
    for (const problem of store.problems) {
      const place = problem.primary;
      if (place?.source === this.file) gather(notes, place.line, problem);
    }
    for (let line = 1; line <= Math.max(this.lines.length, 1); line += 1) {
      this.rows.push({ line });
      for (const problem of notes.get(line) ?? []) {
        this.rows.push({ line, problem, style: problem.severity, text: `${problem.code}: ${problem.message}` });
        if (problem.primary.label) this.rows.push({ line, problem, style: "label", text: problem.primary.label });
        for (const help of problem.help) this.rows.push({ line, problem, style: "help", text: `help: ${help}` });
      }
    }
    this.files.replaceChildren(...(store.sources.length > 1 ? store.sources.map((item, index) => make("button", {
      type: "button", class: "file", "aria-pressed": String(index === this.file), onclick: () => this.show(index),
    }, item.name)) : [make("span", { class: "file" }, source?.name ?? "")]));
    const longest = this.lines.reduce((most, line) => Math.max(most, line.length), 0);
    this.sheet.style.height = `${this.rows.length * LINE + 12}px`;
    this.sheet.style.minWidth = `${Math.min(longest, 400) + 8}ch`;
    this.paint();
  }

  /** Whether the picture's file of this number is the one that is shown. @param {number} number */
  _here(number) {
    return store.madeOf[number]?.name === store.sources[this.file]?.name;
  }

  /** Where the lines that the picture was made of are now: those before and after what was changed are known. */
  _moves() {
    const now = this.lines;
    const old = store.madeOf.find((item) => item.name === store.sources[this.file]?.name);
    if (!old || old.text === store.sources[this.file].text) return (/** @type {number} */ line) => line;
    const before = linesOf(old.text);
    let head = 0, tail = 0;
    while (head < Math.min(before.length, now.length) && before[head] === now[head]) head += 1;
    while (tail < Math.min(before.length, now.length) - head && before[before.length - 1 - tail] === now[now.length - 1 - tail]) tail += 1;
    return (/** @type {number} */ line) => {
      if (line <= head) return line;
      return line > before.length - tail ? line + now.length - before.length : 0;
    };
  }

  _paint() {
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / LINE) - 10);
    const last = Math.min(this.rows.length, first + Math.ceil((this.scroller.clientHeight || 400) / LINE) + 20);
    const shown = this.printing ? this.rows : this.rows.slice(first, last);
    this.sheet.replaceChildren(...shown.map((row, offset) => this._row(row, (this.printing ? 0 : first) + offset)));
    this._mark();
  }

  /** @param {any} row @param {number} index */
  _row(row, index) {
    let element;
    if (row.text !== undefined) {
      element = make("div", { class: `note ${row.style}` }, make("span", { title: row.text }, row.text));
    } else {
      const items = this.begins.get(row.line) ?? [];
      const layers = items.filter((item) => item.layer);
      const hint = items.length ? `${items.slice(0, 4).map((item) => item.path).join(", ")}${items.length > 4 ? `, … (${items.length})` : ""}` : null;
      element = make("div", { class: items.length ? "line made" : "line", "data-line": row.line, title: hint },
        make("span", { class: "gutter", "aria-hidden": "true" }, String(row.line)),
        make("code", {}, ...coloured(this.lines[row.line - 1] ?? "", this._wrong(row.line))),
        layers.length > 1 ? make("span", { class: "times" }, `×${layers.length}`) : null);
    }
    element.style.top = `${index * LINE + 6}px`;
    return element;
  }

  /** The columns of a line that a diagnostic points at. @param {number} line @returns {[number, number, string][]} */
  _wrong(line) {
    return store.problems.flatMap((problem) => {
      const place = problem.primary;
      if (place?.source !== this.file || place.line !== line) return [];
      const end = place.end_line === line ? place.end_column : Infinity;
      return [/** @type {[number, number, string]} */ ([place.column - 1, Math.max(end - 1, place.column), problem.severity])];
    });
  }

  _mark() {
    const { selected, hovered } = store.marked();
    const inside = (/** @type {Item[]} */ items) => {
      /** @type {[number, number][]} */ const own = [];
      const around = new Set();
      for (const item of items) {
        for (let at = /** @type {Item | null} */ (item); at; at = at.parent) {
          if (!at.lines || !this._here(at.lines[0])) continue;
          const start = this.moved(at.lines[1]);
          if (!start) continue;
          if (at === item) own.push([start, start + at.lines[2] - at.lines[1]]);
          else around.add(start);
        }
      }
      return { own, around };
    };
    const chosen = inside(selected), passed = inside(hovered);
    const within = (/** @type {[number, number][]} */ ranges, /** @type {number} */ line) => ranges.some(([from, to]) => from <= line && line <= to);
    for (const element of this.sheet.children) {
      const line = Number(element.dataset.line);
      if (!line) continue;
      element.classList.toggle("selected", within(chosen.own, line));
      element.classList.toggle("caller", chosen.around.has(line));
      element.classList.toggle("hovered", within(passed.own, line));
    }
  }

  /** Brings the first selected layer's line into view, in whichever file it stands. */
  _follow() {
    const item = store.marked().selected[0];
    if (!item?.lines) return;
    const name = store.madeOf[item.lines[0]]?.name;
    const file = store.sources.findIndex((source) => source.name === name);
    if (file >= 0 && file !== this.file) this.show(file);
    const line = this.moved(item.lines[1]);
    if (line) this.scrollTo(line);
  }

  /** @param {number} line */
  scrollTo(line) {
    const index = this.rows.findIndex((row) => row.line === line);
    if (index < 0) return;
    const above = index * LINE, height = this.scroller.clientHeight;
    if (above < this.scroller.scrollTop + LINE || above + 3 * LINE > this.scroller.scrollTop + height) {
      this.scroller.scrollTop = Math.max(0, above - height / 3);
    }
    this.paint();
  }

  /** @param {any} event */
  _line(event) {
    return Number(event.target.closest("[data-line]")?.dataset.line ?? 0);
  }

  /** The layers that a line wrote; where there are none, the blocks that it called. @param {number} line */
  _items(line) {
    const items = this.begins.get(line) ?? [];
    const layers = items.filter((item) => item.layer);
    return layers.length ? layers : items;
  }

  /** @param {any} event */
  _click(event) {
    const line = this._line(event);
    if (line && !String(getSelection())) store.select(this._items(line).map((item) => item.path), "source");
  }

  /** @param {KeyboardEvent} event */
  _key(event) {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const lines = [...this.begins.keys()].sort((a, b) => a - b);
    const item = store.marked().selected[0];
    const now = item?.lines && this._here(item.lines[0]) ? this.moved(item.lines[1]) : 0;
    const next = event.key === "ArrowDown" ? lines.find((line) => line > now) : lines.reverse().find((line) => line < now);
    if (next === undefined) return;
    store.select(this._items(next).map((one) => one.path), "source");
    this.scrollTo(next);
    event.preventDefault();
    event.stopPropagation();
  }
}

const TOKEN = /(#.*$)|((?<![\w"'])(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'))|(\$\([^)]*\)?\)*)|([\w.-]+)(?=\s*:(?:\s|$))|(-?\b\d[\d.]*(?:e[-+]?\d+)?\b)/gi;

/**
 * A line of YAML in spans: comments, text, expressions, keys and numbers.
 * @param {string} text @param {[number, number, string][]} wrong columns to underline
 */
function coloured(text, wrong) {
  const styles = ["comment", "text", "expression", "key", "digits"];
  /** @type {[number, number, string][]} */ const tokens = [];
  if (text.length < 2000) {
    for (const match of text.matchAll(TOKEN)) {
      // A # within a word begins no comment.
      if (match[1] !== undefined && match.index > 0 && !/\s/.test(text[match.index - 1])) continue;
      tokens.push([match.index, match.index + match[0].length, styles[match.slice(1).findIndex((group) => group !== undefined)]]);
    }
  }
  const cuts = new Set([0, text.length]);
  for (const [start, end] of [...tokens, ...wrong]) cuts.add(Math.min(start, text.length)).add(Math.min(end, text.length));
  const places = [...cuts].sort((a, b) => a - b);
  const parts = [];
  for (let index = 0; index + 1 < places.length; index += 1) {
    const [start, end] = [places[index], places[index + 1]];
    const style = tokens.find((item) => item[0] <= start && end <= item[1])?.[2];
    const fault = wrong.find((item) => item[0] <= start && end <= item[1])?.[2];
    const classes = [style, fault && `wrong ${fault}`].filter(Boolean).join(" ");
    parts.push(classes ? make("span", { class: classes }, text.slice(start, end)) : text.slice(start, end));
  }
  if (wrong.some((item) => item[0] >= text.length)) parts.push(make("span", { class: "wrong error" }, " "));
  return parts;
}
