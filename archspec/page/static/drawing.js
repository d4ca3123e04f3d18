// The drawing: boxes, unfolded blocks and links, with pan and zoom.

const MARGIN = 24, SMALLEST = 0.002, LARGEST = 4, READABLE = 0.85, CARD = 260;

/** From how many boxes on only those in view are elements. */
const MANY = 700;

const measure = /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d"));

/**
 * As much of both ends of a text as fits a width, with an ellipsis between.
 * @param {string} text @param {number} width @param {string} font
 */
function fitted(text, width, font) {
  measure.font = font;
  if (measure.measureText(text).width <= width) return text;
  for (let kept = Math.min(text.length - 1, Math.ceil(width / 3)); kept > 1; kept -= 1) {
    const head = Math.ceil(kept / 2);
    const short = `${text.slice(0, head)}…${text.slice(text.length - kept + head)}`;
    if (measure.measureText(short).width <= width) return short;
  }
  return "…";
}

class Drawing {
  constructor() {
    this.canvas = byId("canvas");
    this.view = { x: 0, y: 0, scale: 1 };
    /** @type {Picture} */ this.scene = { width: 0, height: 0, boxes: [], outlines: [], links: [] };
    /** Boxes and unfolded frames by their paths. @type {Map<string, any>} */ this.byPath = new Map();
    /** The box that each layer is in. @type {any[]} */ this.where = [];
    /** @type {Map<string, any>} */ this.elements = new Map();
    this.svg = draw("svg", { "aria-hidden": "true" });
    this.layer = draw("g");
    this.svg.append(
      draw("defs", {}, ...["tip", "tip-near"].map((id) => draw("marker", { id, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, markerUnits: "userSpaceOnUse", orient: "auto" }, draw("path", { d: "M0 1L8 4L0 7z", class: id })))),
      this.layer);
    this.canvas.append(this.svg);
    /** Pointers that are down. @type {Map<number, {x: number, y: number}>} */ this.pointers = new Map();
    this.moved = 0;
    /** The box that the keys are at. */ this.at = "";
    this.printing = false;
    this.place = onceAFrame(() => this._place());
    this.mark = onceAFrame(() => this._mark());
    this._listen();
    this.fitted = true;
    this.least = READABLE;
    new ResizeObserver(() => (this.fitted ? this.fit(this.least) : this.place())).observe(this.canvas);
    byId("zoom-in").addEventListener("click", () => this.zoom(1.25));
    byId("zoom-out").addEventListener("click", () => this.zoom(0.8));
    byId("zoom-fit").addEventListener("click", () => this.fit(SMALLEST));
    store.on("network", (first) => { this.arrange(null); if (first) this.fit(READABLE); this._legend(); });
    store.on("open", (anchor) => this.arrange(anchor));
    store.on("hover", this.mark);
    store.on("select", (from) => { this.mark(); this.at = ""; if (from !== "drawing") this.follow(store.selected[0]); });
    store.on("reveal", (path) => this.follow(path));
    addEventListener("beforeprint", () => this._print(true));
    addEventListener("afterprint", () => this._print(false));
  }

  _listen() {
    const canvas = this.canvas;
    canvas.addEventListener("wheel", (/** @type {WheelEvent} */ event) => {
      event.preventDefault();
      const lines = event.deltaMode === 1 ? 16 : 1;
      this.zoom(Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0016)), this._point(event));
    }, { passive: false });
    canvas.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
      if (event.button) return;
      this.pointers.set(event.pointerId, this._point(event));
      if (this.pointers.size === 1) this.moved = 0;
    });
    canvas.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
      const before = this.pointers.get(event.pointerId);
      if (before) this._drag(event, before);
      else if (event.pointerType === "mouse") {
        store.hover(this._behind(this._under(event)), "drawing");
      }
    });
    const up = (/** @type {PointerEvent} */ event) => {
      this.pointers.delete(event.pointerId);
      if (!this.pointers.size) canvas.classList.remove("held");
    };
    canvas.addEventListener("pointerup", up);
    canvas.addEventListener("pointercancel", up);
    canvas.addEventListener("pointerleave", (/** @type {PointerEvent} */ event) => { if (event.pointerType === "mouse" && !this.pointers.size) store.hover([], "drawing"); });
    canvas.addEventListener("click", (/** @type {any} */ event) => {
      if (this.moved > 5) return;
      const path = this._under(event);
      const tie = event.target.closest(".tie")?.dataset.tie;
      if (tie) store.go(tie);
      else if (path !== null && event.target.closest(".toggle")) store.toggle(path);
      else store.select(this._behind(path), "drawing");
    });
    canvas.addEventListener("dblclick", (/** @type {any} */ event) => {
      const path = this._under(event);
      if (path !== null && !event.target.closest(".toggle") && this._opens(path)) store.toggle(path);
    });
    canvas.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this._key(event));
  }

  /** On paper the drawing is as large as fits, wherever it was on the screen. @param {boolean} printing */
  _print(printing) {
    this.printing = printing;
    if (!printing) {
      this.svg.removeAttribute("viewBox");
      this._place();
      return;
    }
    this.svg.setAttribute("viewBox", `-8 -8 ${this.scene.width + 16} ${this.scene.height + 16}`);
    this.layer.removeAttribute("transform");
  }

  /** @param {MouseEvent} event */
  _point(event) {
    const box = this.canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  /** The path of what lies under the pointer. @param {any} event @returns {string | null} */
  _under(event) {
    return event.target.closest("[data-path]")?.dataset.path ?? null;
  }

  /** The blocks and layers that a box stands for. @param {string | null} path */
  _behind(path) {
    return path === null ? [] : store.network?.behind(path) ?? [];
  }

  /** Whether a box has a frame to unfold. @param {string} path */
  _opens(path) {
    return store.network?.frames.has(path) ?? false;
  }

  /** One pointer moves the drawing, two zoom it. @param {PointerEvent} event @param {{x: number, y: number}} before */
  _drag(event, before) {
    const now = this._point(event);
    this.moved += Math.abs(now.x - before.x) + Math.abs(now.y - before.y);
    if (this.moved > 5 && !this.canvas.hasPointerCapture(event.pointerId)) {
      // Captured no sooner, since a captured pointer's click would lose the box that it is on.
      this.canvas.setPointerCapture(event.pointerId);
      this.canvas.classList.add("held");
    }
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const span = (/** @type {{x: number, y: number}} */ point) => Math.hypot(point.x - other.x, point.y - other.y) || 1;
      const middle = { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 };
      this.zoom(span(now) / span(before), middle);
      this._shift((now.x - before.x) / 2, (now.y - before.y) / 2);
    } else this._shift(now.x - before.x, now.y - before.y);
    this.pointers.set(event.pointerId, now);
  }

  /** @param {number} x @param {number} y in pixels of the screen */
  _shift(x, y) {
    this.view.x += x;
    this.view.y += y;
    this.fitted = false;
    this.place();
  }

  /** Zooms about a point, or the middle. @param {number} factor @param {{x: number, y: number}} [about] */
  zoom(factor, about = { x: this.canvas.clientWidth / 2, y: this.canvas.clientHeight / 2 }) {
    const scale = Math.max(SMALLEST, Math.min(LARGEST, this.view.scale * factor));
    const ratio = scale / this.view.scale;
    this.view = { scale, x: about.x - (about.x - this.view.x) * ratio, y: about.y - (about.y - this.view.y) * ratio };
    this.fitted = false;
    this.place();
  }

  /** Shows all of it, or its top where it is long. @param {number} [least] the smallest scale */
  fit(least = SMALLEST) {
    const { clientWidth: wide, clientHeight: high } = this.canvas;
    if (!wide || !high || !this.scene.width) return;
    const across = (wide - 2 * MARGIN) / this.scene.width, down = (high - 2 * MARGIN) / this.scene.height;
    const scale = Math.min(across, Math.max(least, Math.min(down, 1.15)));
    // A narrow network stands beside the card, where there is room for both.
    const room = wide - this.scene.width * scale - 2 * MARGIN > CARD ? wide - CARD : wide;
    this.view = { scale, x: (room - this.scene.width * scale) / 2, y: Math.max(MARGIN, (high - this.scene.height * scale) / 2) };
    this.fitted = true;
    this.least = least;
    this.place();
  }

  /** Brings the box of an item, or of the folded block around it, into view. @param {string | undefined} path */
  follow(path) {
    const item = path === undefined ? undefined : store.network?.items.get(path);
    const box = item && this._shown(item)[0];
    if (box) this._show(box);
  }

  /** Brings a box into view. @param {any} box */
  _show(box) {
    const wide = this.canvas.clientWidth;
    // On a phone the card lies over the lower half.
    const high = this.canvas.clientHeight * (wide < 500 ? 0.45 : 1);
    const { x, y, scale } = this.view;
    const [left, top] = [(box.x - box.width / 2) * scale + x, (box.y - box.height / 2) * scale + y];
    const [right, bottom] = [left + box.width * scale, top + Math.min(box.height * scale, high / 2)];
    let [dx, dy] = [0, 0];
    if (left < 8 || right > wide - 8) dx = wide / 2 - (left + right) / 2;
    if (top < 8 || bottom > high - 8) dy = high / 2 - (top + bottom) / 2;
    if (dx || dy) {
      if (scale < 0.35) this.zoom(0.6 / scale, { x: (left + right) / 2, y: (top + bottom) / 2 });
      this._shift(dx, dy);
    }
  }

  /**
   * What stands for an item in the drawing: its unfolded block, or the boxes that have layers of it.
   * @param {Item} item @returns {any[]}
   */
  _shown(item) {
    const own = this.byPath.get(item.path);
    return own ? [own] : [...new Set(item.indices.map((index) => this.where[index]))].filter(Boolean);
  }

  /**
   * Places everything anew for what is unfolded. The anchor, or the box in the middle, stays where it is on the screen.
   * @param {string | null} anchor
   */
  arrange(anchor) {
    const network = store.network;
    if (!network) {
      this.layer.replaceChildren();
      return;
    }
    const corner = (/** @type {any} */ box) => box && { x: box.x, y: box.y - box.height / 2 };
    const before = anchor === null ? undefined : corner(this.byPath.get(anchor));
    this.scene = unfold(network.frames, store.opened);
    this.byPath = new Map([...this.scene.outlines, ...this.scene.boxes].map((item) => [item.path, item]));
    this.where = [];
    for (const box of this.scene.boxes) for (const index of box.layers) this.where[index] = box;
    const after = anchor === null ? undefined : corner(this.byPath.get(anchor));
    if (before && after) {
      this.view.x += (before.x - after.x) * this.view.scale;
      this.view.y += (before.y - after.y) * this.view.scale;
      this.fitted = false;
    }
    const moving = this.scene.boxes.length + this.elements.size < MANY;
    this._paint(moving);
    if (this.fitted) this.fit(this.least);
  }

  /** Makes the elements; those that were there before move to their new places. @param {boolean} moving */
  _paint(moving) {
    const { boxes, outlines, links } = this.scene;
    const old = this.elements;
    this.elements = new Map();
    const many = boxes.length > MANY;
    const view = many ? this._seen() : null;
    this.drawn = view;
    const inView = (/** @type {any} */ box) => !view || (box.x + box.width / 2 > view.left && box.x - box.width / 2 < view.right && box.y + box.height / 2 > view.top && box.y - box.height / 2 < view.bottom);
    const group = [], line = [], box = [], shape = [];
    for (const item of outlines) if (inView(item)) group.push(this._group(item));
    const named = new Set();
    // What begins at an outline's upper side goes on inwards.
    const tops = new Map(outlines.map((item) => [item.path, item.y]));
    for (const item of links) {
      if (view && !this._touches(item, view)) continue;
      line.push(this._link(item));
      // The shape is written once, where the value leaves its box.
      const [from, to] = item.points;
      const inward = from[1] < (tops.get(item.source) ?? -Infinity);
      if (named.has(item.tensor) || inward || to[1] - from[1] < 9 && item.points.length > 2 && item.points[2][0] > from[0]) continue;
      named.add(item.tensor);
      shape.push(draw("text", { class: "shape", x: from[0] + 5, y: from[1] + 11 }, item.shape));
    }
    for (const item of boxes) if (inView(item)) box.push(this._box(item));
    this.layer.replaceChildren(...group, ...line, ...box, ...shape);
    this.canvas.classList.remove("moving");
    if (moving && old.size) {
      const changed = [];
      for (const [key, element] of this.elements) {
        const before = old.get(key);
        if (before && before.dataset.at !== element.dataset.at) {
          element.style.transform = `translate(${before.dataset.at})`;
          changed.push(element);
        }
      }
      this.canvas.getBoundingClientRect();
      this.canvas.classList.add("moving");
      for (const element of changed) element.style.transform = `translate(${element.dataset.at})`;
    }
    this._mark();
    this._place();
  }

  /** The part of the drawing that is in view, with as much again around it. */
  _seen() {
    const { x, y, scale } = this.view;
    const { clientWidth: wide, clientHeight: high } = this.canvas;
    return { left: (-x - wide / 2) / scale, right: (1.5 * wide - x) / scale, top: (-y - high / 2) / scale, bottom: (1.5 * high - y) / scale };
  }

  /** @param {any} link @param {{left: number, right: number, top: number, bottom: number}} view */
  _touches(link, view) {
    const xs = link.points.map((/** @type {number[]} */ point) => point[0]), ys = link.points.map((/** @type {number[]} */ point) => point[1]);
    return Math.max(...xs) > view.left && Math.min(...xs) < view.right && Math.max(...ys) > view.top && Math.min(...ys) < view.bottom;
  }

  _place() {
    if (this.printing) return;
    const { x, y, scale } = this.view;
    this.layer.setAttribute("transform", `translate(${x.toFixed(2)} ${y.toFixed(2)}) scale(${scale.toFixed(5)})`);
    this.canvas.classList.toggle("far", scale < 0.45);
    this.canvas.classList.toggle("farther", scale < 0.2);
    const drawn = this.drawn;
    if (!drawn) return;
    const { clientWidth: wide, clientHeight: high } = this.canvas;
    const out = -x / scale < drawn.left || (wide - x) / scale > drawn.right || -y / scale < drawn.top || (high - y) / scale > drawn.bottom;
    if (out || (drawn.right - drawn.left) * scale > 4.5 * wide) this._paint(false);
  }

  /** @param {any} box */
  _box(box) {
    const behind = { block: 1, run: 2 }[/** @type {string} */ (box.kind)] ?? 0;
    const [w, h] = [box.width - STACK * behind, box.height - STACK * behind];
    const at = `${(box.x - box.width / 2).toFixed(1)}px, ${(box.y - box.height / 2).toFixed(1)}px`;
    const opens = this._opens(box.path);
    /** @type {any} */ const element = draw("g", { class: `box ${box.kind} ${box.tie?.[1] ? "tied" : ""} ${box.families.length ? `family-${box.families[0]}` : ""}`, "data-path": box.path, "data-at": at });
    element.style.transform = `translate(${at})`;
    for (let back = behind; back > 0; back -= 1) element.append(draw("rect", { class: "under", x: STACK * back, y: STACK * back, width: w, height: h, rx: 7 }));
    const round = { unit: 4, input: h / 2, output: h / 2 }[/** @type {string} */ (box.kind)] ?? 7;
    element.append(draw("rect", { class: "back", width: w, height: h, rx: round }));
    const { heading, lines, families } = box;
    // A unit's layers, from the first to the last, as strips at its side.
    if (families.length > 1) families.forEach((/** @type {string} */ name, /** @type {number} */ index) => element.append(draw("rect", { class: `strip family-${name}`, x: 1, y: 3 + (index * (h - 6)) / families.length, width: 4, height: (h - 6) / families.length })));
    const room = w - 8, middle = w / 2;
    let y = h / 2 - (lines.length * 14) / 2 + 4;
    element.append(draw("text", { class: "label", x: middle, y, "text-anchor": "middle" }, fitted(heading, room, "600 11px system-ui")));
    lines.forEach((/** @type {string} */ line, /** @type {number} */ index) => {
      y += 14;
      // The last line says whose arrays it uses, and leads there.
      const tie = box.tie && index === lines.length - 1 ? box.tie[0].split(" … ")[0] : null;
      element.append(draw("text", { class: tie === null ? "words" : "words tie", "data-tie": tie, x: middle, y, "text-anchor": "middle" }, fitted(line, room, "10px system-ui")));
    });
    if (opens) element.append(this._toggle(w, h / 2, "+"));
    this.elements.set(box.path, element);
    return element;
  }

  /** @param {any} group */
  _group(group) {
    const at = `${(group.x - group.width / 2).toFixed(1)}px, ${(group.y - group.height / 2).toFixed(1)}px`;
    /** @type {any} */ const element = draw("g", { class: "group", "data-path": group.path, "data-at": at });
    element.style.transform = `translate(${at})`;
    const text = draw("text", { x: 9, y: 16 }, fitted(group.heading, group.width - 34, "600 11px system-ui"));
    element.append(
      draw("rect", { class: "group-box", width: group.width, height: group.height, rx: 8 }),
      draw("g", { class: "title-bar" }, draw("rect", { class: "bar-back", width: group.width, height: TITLE, rx: 8 }), text, this._toggle(group.width - 13, TITLE / 2, "−")));
    this.elements.set(group.path, element);
    return element;
  }

  /** The sign at which a click unfolds or folds. @param {number} x @param {number} y @param {string} sign */
  _toggle(x, y, sign) {
    const path = sign === "+" ? "M-4 0h8M0 -4v8" : "M-4 0h8";
    return draw("g", { class: "toggle", transform: `translate(${x} ${y})` }, draw("rect", { x: -14, y: -14, width: 28, height: 28, fill: "transparent" }), draw("circle", { r: 8 }), draw("path", { d: path }));
  }

  /** A link: corners of a line that goes down and across in turn, drawn round. @param {Link} link */
  _link(link) {
    const points = link.points.filter((point, index, all) => !index || Math.hypot(point[0] - all[index - 1][0], point[1] - all[index - 1][1]) > 0.05);
    const pair = (/** @type {number[]} */ point) => `${point[0].toFixed(1)} ${point[1].toFixed(1)}`;
    let way = `M${pair(points[0])}`;
    for (let index = 1; index + 1 < points.length; index += 1) {
      const [from, at, to] = [points[index - 1], points[index], points[index + 1]];
      const towards = (/** @type {number[]} */ other) => {
        const far = Math.hypot(other[0] - at[0], other[1] - at[1]);
        const part = Math.min(7, far / 2) / far;
        return [at[0] + (other[0] - at[0]) * part, at[1] + (other[1] - at[1]) * part];
      };
      way += `L${pair(towards(from))}Q${pair(at)} ${pair(towards(to))}`;
    }
    way += `L${pair(points[points.length - 1])}`;
    return draw("path", { class: `link ${link.skip ? "skip" : ""} port-${link.port}`, d: way, "data-source": link.source, "data-target": link.target, "marker-end": "url(#tip)" }, draw("title", {}, `${link.tensor}  ${link.shape}`));
  }

  _mark() {
    const { selected, hovered } = store.marked();
    const find = (/** @type {Item[]} */ items) => new Set(items.flatMap((item) => this._shown(item)));
    const chosen = find(selected), passed = find(hovered);
    for (const [path, element] of this.elements) {
      const box = this.byPath.get(path);
      element.classList.toggle("selected", chosen.has(box));
      element.classList.toggle("hovered", passed.has(box));
    }
    const near = new Set([...chosen, ...passed].map((box) => box.path));
    for (const element of /** @type {NodeListOf<SVGElement>} */ (this.layer.querySelectorAll(".link"))) {
      const touched = near.has(element.dataset.source ?? "") || near.has(element.dataset.target ?? "");
      element.classList.toggle("near", touched);
      element.setAttribute("marker-end", touched ? "url(#tip-near)" : "url(#tip)");
    }
  }

  _legend() {
    const network = store.network;
    const families = new Map((network?.layers ?? []).map((layer) => [layer.family, colours(layer)]));
    byId("legend").replaceChildren(...[...families].map(([name, style]) => make("span", {}, make("span", { class: `dot ${style}` }), store.words[name] ?? name)));
    const tied = [...(network?.frames.values() ?? [])].some((frame) => frame.boxes.some((box) => box.tie?.[1]));
    if (tied) byId("legend").append(make("span", {}, make("span", { class: "dot tied" }), "uses another's weights"));
  }

  /** Arrow keys go to the nearest box in their direction. @param {KeyboardEvent} event */
  _key(event) {
    const way = { ArrowDown: [0, 1], ArrowUp: [0, -1], ArrowRight: [1, 0], ArrowLeft: [-1, 0] }[event.key];
    const item = store.marked().selected[0];
    const now = this.byPath.get(this.at) ?? (item && this._shown(item)[0]);
    if (way && event.shiftKey) this._shift(-60 * way[0], -60 * way[1]);
    else if (way) {
      const next = now ? this._nearest(now, way) : this.scene.boxes[0];
      if (next) {
        store.select(this._behind(next.path), "drawing");
        this.at = next.path;
        this._show(next);
      }
    } else if ((event.key === "Enter" || event.key === " ") && now && this._opens(now.path)) store.toggle(now.path);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {any} from @param {number[]} way */
  _nearest(from, way) {
    let best = null, least = Infinity;
    for (const box of [...this.scene.boxes, ...this.scene.outlines]) {
      if (box === from) continue;
      const [x, y] = [box.x - from.x, box.y - box.height / 2 - (from.y - from.height / 2)];
      const along = x * way[0] + y * way[1], aside = Math.abs(x * way[1]) + Math.abs(y * way[0]);
      const cost = along + 3 * aside;
      if (along > 1 && cost < least) [best, least] = [box, cost];
    }
    return best;
  }
}
