// What is known of the layer or block that is hovered or selected, with its receptive field over a picture of the input.

class Card {
  constructor() {
    this.box = byId("card");
    this.show = onceAFrame(() => this._show());
    store.on("network hover select open", this.show);
    byId("card-close").addEventListener("click", () => store.select([]));
    byId("card-reveal").addEventListener("click", () => {
      const item = store.marked().selected[0];
      if (!item) return;
      if (item.isBlock) store.toggle(item.path);
      else store.reveal(item.path);
    });
  }

  _show() {
    const network = store.network;
    const { selected, hovered } = store.marked();
    const items = hovered.length ? hovered : selected;
    const item = items[0];
    this.box.hidden = !item || !network;
    if (!item || !network) return;
    this.box.classList.toggle("passing", hovered.length > 0);
    byId("card-title").textContent = items.length > 1 ? `${item.path} … ${items[items.length - 1].path}` : item.path || network.model.name;
    byId("card-title").title = items.map((one) => one.path).slice(0, 20).join("\n");
    byId("card-kind").textContent = this._kind(items);
    byId("card-dot").setAttribute("class", `dot ${item.layer ? colours(item.layer) : "block"}`);
    byId("card-facts").replaceChildren(...this._facts(items, network));
    byId("card-field").replaceChildren(...(items.length === 1 ? this._field(item, network) : []));
    const reveal = byId("card-reveal");
    const seen = network.seen(item, store.opened) === item;
    reveal.hidden = hovered.length > 0 || items.length > 1 || (!item.isBlock && seen);
    reveal.textContent = item.isBlock ? (store.opened.has(item.path) ? "fold" : "unfold") : "show in the drawing";
  }

  /** The receptive field, unless only vectors are seen. @param {Item} item @param {Network} network */
  _field(item, network) {
    const layer = lastLayer(item);
    if (layer.sees === null) return [];
    const { name, shape } = network.model.inputs[layer.sees];
    return fieldPicture(layer, shape, network.model.inputs.length > 1 ? ` ${name},` : "");
  }

  /** @param {Item[]} items */
  _kind(items) {
    const kinds = [...new Set(items.map((item) => item.kind))].join(", ");
    const count = items.reduce((sum, item) => sum + item.count, 0);
    return count > 1 ? `${kinds}${items.length > 1 ? ` ×${items.length}` : ""}, ${counted(count, "layer")}` : kinds;
  }

  /** Names and values. @param {Item[]} items @param {Network} network */
  _facts(items, network) {
    const all = network.root;
    /** @type {[string, string, string?][]} */ const rows = [];
    const item = items[0];
    const layer = items.length === 1 ? item.layer : null;
    if (layer) {
      for (const [name, value] of Object.entries(layer.fields)) rows.push([name, fieldText(value)]);
      rows.push(["input", layer.takes.map(dims).join(", ")]);
    }
    if (items.length === 1) rows.push(["output", dims(item.output)]);
    const tie = items.length === 1 ? item.tie : undefined;
    const add = (/** @type {string} */ name, /** @type {"params" | "macs" | "flops" | "bytes"} */ key, /** @type {(value: number) => string} */ text) => {
      const sum = items.reduce((total, one) => total + one[key], 0);
      if (sum) rows.push([name, text(sum), all[key] ? percent(sum, all[key]) : ""]);
    };
    add("parameters", "params", whole);
    if (layer?.statistics) rows.push(["statistics", whole(layer.statistics)]);
    add("MACs", "macs", si);
    add("FLOPs", "flops", si);
    add("activations", "bytes", mebibytes);
    const shared = tie ? [make("dt", {}, tie[1] ? "weights" : "weights partly"), make("dd", {}, toTie(tie[0], tie[0]))] : [];
    return [...shared, ...rows.flatMap(([name, value, share]) => [
      make("dt", {}, name),
      make("dd", { title: value }, value, share ? make("span", { class: "faint" }, ` ${share}`) : null),
    ])];
  }
}

/**
 * The field of the position in the middle of a layer's output, drawn over the input and cut at its borders.
 * A signal lies, as long as the picture is wide.
 * @param {Layer} layer @param {number[]} input @param {string} names the input's, where there are several
 */
function fieldPicture(layer, input, names) {
  const signal = input.length === 2;
  const [high, wide] = signal ? [1, input[0]] : input;
  const along = (/** @type {number[]} */ values, /** @type {number} */ rest) => (signal ? [rest, values[0]] : values);
  const [size, jump, start] = [along(layer.field.size, 1), along(layer.field.jump, 1), along(layer.field.start, 0.5)];
  const map = layer.output.length === 3 ? layer.output : layer.output.length === 2 ? [1, layer.output[0]] : [1, 1];
  const centre = [0, 1].map((axis) => start[axis] + Math.floor(map[axis] / 2) * jump[axis]);
  const from = centre.map((middle, axis) => middle - size[axis] / 2);
  const cut = [high, wide].map((extent, axis) => [Math.max(0, from[axis]), Math.min(extent, from[axis] + size[axis])]);
  const over = [high, wide].some((extent, axis) => from[axis] < 0 || from[axis] + size[axis] > extent);
  const scale = Math.min(132 / wide, 96 / high);
  // A signal has no height of its own.
  const down = signal ? 14 : scale;
  const [w, h] = [wide * scale, high * down];
  const extent = signal ? `${wide}` : `${high}×${wide}`, seen = signal ? `${size[1]}` : dims(size);
  const svg = draw("svg", {
    width: w + 2, height: h + 2, viewBox: `-1 -1 ${w + 2} ${h + 2}`, role: "img", class: "field",
    "aria-label": `receptive field ${seen} on an input of ${extent}`,
  });
  svg.append(draw("rect", { width: w, height: h, class: "input" }));
  if (scale >= 2.5) {
    let grid = "";
    for (let x = 1; x < wide; x += 1) grid += `M${x * scale} 0v${h}`;
    for (let y = 1; y < high; y += 1) grid += `M0 ${y * down}h${w}`;
    svg.append(draw("path", { d: grid, class: "pixels" }));
  }
  const place = { x: cut[1][0] * scale, y: cut[0][0] * down, width: Math.max(0, cut[1][1] - cut[1][0]) * scale, height: Math.max(0, cut[0][1] - cut[0][0]) * down };
  svg.append(draw("rect", { ...place, class: over ? "reach cut" : "reach" }));
  svg.append(draw("circle", { cx: centre[1] * scale, cy: centre[0] * down, r: 2 }));
  const step = jump.map((value) => short(value, 3));
  const words = make("figcaption", {},
    make("b", {}, seen), make("br"), "receptive field", make("br"),
    `of${names} ${extent}${over ? ", cut at its borders" : ""}`, make("br"),
    make("span", { class: "faint" }, `neighbours ${signal || step[0] === step[1] ? step[1] : step.join("×")} apart`),
    ...layer.others.flatMap(([name, others]) => [make("br"), `${dims(others)} of ${name} too`]));
  return [svg, words];
}
