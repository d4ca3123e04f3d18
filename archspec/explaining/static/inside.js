// The panel that looks inside: images with what speaks for an answer, maps of a layer, one unit taken apart.

/** What the numbers of a page's arrays are read into, once each. */
class Held {
  /** @param {any} data */
  constructor(data) {
    this.data = data;
    /** @type {Map<string, Promise<any>>} */ this.kept = new Map();
  }

  /** @template T @param {string} key @param {() => Promise<T>} make @returns {Promise<T>} */
  once(key, make) {
    let found = this.kept.get(key);
    if (!found) this.kept.set(key, (found = make()));
    return found;
  }

  /** The shape of what a node gives, or of an input. @param {number} number */
  shapeOf(number) {
    const network = /** @type {Network} */ (store.network);
    return number < 0 ? network.model.inputs[-1 - number].shape : network.layers[number].output;
  }

  /** What a node gives for an image, to the last bit; null where the page has it not. @param {number} image @param {number} number @returns {Promise<Values | null>} */
  async values(image, number) {
    const text = this.data.images[image].values[String(number)];
    if (text === undefined) return null;
    return this.once(`values ${image} ${number}`, async () => ({ shape: this.shapeOf(number), data: await packedFloats(text) }));
  }

  /** A layer's maps for an image, of its numbers or of its grey sheet. @param {number} image @param {number} number @returns {Promise<Maps | null>} */
  async maps(image, number) {
    const sheet = this.data.images[image].sheets[String(number)];
    const values = await this.values(image, number);
    if (values) return this.once(`maps ${image} ${number}`, async () => mapsOfNumbers(values.data, values.shape));
    if (sheet) return this.once(`maps ${image} ${number}`, () => mapsOfSheet(sheet));
    // What a rectifier or a batch normalisation gives is made from what it takes.
    const { form, from } = this.data.steps[number];
    if (!form || !["relu", "batch_norm"].includes(form.op) || from[0] < 0) return null;
    const before = await this.maps(image, from[0]), arrays = await this.arrays(form);
    return before && arrays && this.once(`maps ${image} ${number}`, async () => mapsAfter(before, form, (name) => /** @type {Values} */ (arrays.get(name))));
  }

  /** The one unit of a layer whose numbers were cut out for the page. @param {number} image @param {number} number @returns {any} */
  piece(image, number) {
    return this.data.images[image].pieces[String(number)] ?? null;
  }

  /** Its terms. @param {any} piece @returns {Promise<Terms | null>} */
  async termsOfPiece(piece) {
    const read = async (/** @type {any} */ own) => ({ shape: own.shape, data: await packedFloats(own.data) });
    const inputs = await Promise.all(piece.inputs.map(read));
    const arrays = new Map(await Promise.all(Object.entries(piece.arrays).map(async ([use, own]) => /** @type {[string, Values]} */ ([use, await read(own)]))));
    const terms = termsOf(piece.form, piece.place, 0, inputs, (use) => /** @type {Values} */ (arrays.get(use)));
    if (terms && terms.first !== undefined) terms.first += piece.first;
    return terms;
  }

  /** The arrays of a form; null where one is not in the page. @param {Form} form @returns {Promise<Map<string, Values> | null>} */
  async arrays(form) {
    const found = new Map();
    for (const name of [form.weights, form.bias, form.scale, form.mean, form.variance]) {
      if (!name) continue;
      const own = this.data.arrays[name];
      if (!own) return null;
      found.set(name, await this.once(`array ${name}`, async () => ({ shape: own.shape, data: await packedFloats(own.data) })));
    }
    return found;
  }

  /** The terms of a unit of a layer; null where the page has not what they are made of. @param {number} image @param {number} number @param {number} channel @param {number[]} at @returns {Promise<Terms | null>} */
  async terms(image, number, channel, at) {
    const step = this.data.steps[number];
    if (!step.form) return null;
    const arrays = await this.arrays(step.form);
    const inputs = await Promise.all(step.from.map((/** @type {number} */ own) => this.values(image, own)));
    if (!arrays || inputs.some((own) => own === null)) {
      const piece = this.piece(image, number);
      return piece && piece.channel === channel && piece.at.join() === at.join() ? this.termsOfPiece(piece) : null;
    }
    return termsOf(step.form, at, channel, inputs, (name) => /** @type {Values} */ (arrays.get(name)));
  }
}

const MAP = 260, TILE = 44, NEAR = 24;

class Inside {
  constructor() {
    this.data = JSON.parse(byId("inside-data").textContent);
    this.held = new Held(this.data);
    this.image = 0;
    this.variant = 0;
    this.overlay = 0;
    this.opacity = 0.65;
    this.number = 0;
    this.channel = 0;
    /** @type {number[]} */ this.at = [];
    this.own = false;
    /** How often a layer and the image were drawn: what an older call has found is left. */
    this.shown = 0;
    this.drawn = 0;
    this.started = false;
    /** How tiles lie on their canvas. */ this.laid = { columns: 1, wide: 1, high: 1, gap: 3 };
    /** @type {Maps | null} */ this.maps = null;
    const first = this.data.units[0];
    const network = store.network;
    const node = first && network ? network.order.findIndex((item) => item.path === first.path) : -1;
    this.number = Math.max(0, node);
    this.channel = node >= 0 ? first.channel : 0;
    this._listen();
    const start = network?.order[this.number];
    this.paint = onceAFrame(() => this._paint());
    new ResizeObserver(this.paint).observe(byId("inside-scroll"));
    this._images();
    this._notes();
    this.choose(0);
    if (start) store.select([start.path], "inside");
  }

  get here() {
    return this.data.images[this.image];
  }

  _listen() {
    store.on("select", (from) => {
      const item = store.marked().selected[0];
      if (!item || from === "inside") return;
      this.layer(item.layer ? item.index : lastOf(item));
    });
    byId("inside-before").addEventListener("click", () => this.go(this.number - 1));
    byId("inside-after").addEventListener("click", () => this.go(this.number + 1));
    byId("inside-opacity").addEventListener("input", (/** @type {any} */ event) => {
      this.opacity = Number(event.target.value) / 100;
      this._picture();
    });
    const picture = byId("inside-picture");
    picture.addEventListener("click", (/** @type {MouseEvent} */ event) => this._pixel(event));
    const tiles = byId("inside-tiles");
    tiles.addEventListener("click", (/** @type {MouseEvent} */ event) => {
      const channel = this._tileAt(event);
      if (channel !== null) this.unit(channel);
    });
    tiles.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
      const channel = this._tileAt(event);
      tiles.title = channel === null || !this.maps ? "" : `channel ${channel}: ${said(this.maps.low[channel])} … ${said(this.maps.high[channel])}`;
    });
    tiles.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.laid.columns, ArrowDown: this.laid.columns }[event.key];
      if (step === undefined || !this.maps) return;
      const next = this.channel + step;
      if (next >= 0 && next < this.maps.channels) this.unit(next);
      event.preventDefault();
    });
    const map = byId("inside-map");
    map.addEventListener("click", (/** @type {MouseEvent} */ event) => {
      if (!this.maps) return;
      const box = map.getBoundingClientRect();
      const [height, width] = this.grid();
      const row = Math.min(height - 1, Math.max(0, Math.floor((event.clientY - box.top) / box.height * height)));
      const column = Math.min(width - 1, Math.max(0, Math.floor((event.clientX - box.left) / box.width * width)));
      this.position(this.at.length === 2 ? [row, column] : this.at.length ? [column] : []);
    });
    map.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      const way = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      if (!way || !this.at.length) return;
      const own = this.at.length === 2 ? way : way.slice(1);
      const sizes = this.spatial();
      this.position(this.at.map((at, axis) => Math.min(sizes[axis] - 1, Math.max(0, at + own[axis]))));
      event.preventDefault();
    });
  }

  spatial() {
    return this.held.shapeOf(this.number).slice(0, -1);
  }

  /** Rows and columns of the layer's maps; the page may have them at less. @returns {number[]} */
  grid() {
    const sizes = this.spatial();
    return sizes.length === 2 ? sizes : [1, sizes[0] ?? 1];
  }

  // What is chosen

  /** @param {number} image */
  choose(image) {
    this.image = image;
    const before = this.here.variants[this.variant];
    this.variant = before ? this.variant : 0;
    for (const [index, button] of [...byId("inside-images").children].entries()) button.setAttribute("aria-pressed", String(index === image));
    this._overlays();
    this._answer();
    this._attacks();
    this._picture();
    this.layer(this.number, true);
  }

  /** Selects a layer everywhere. @param {number} number */
  go(number) {
    const item = store.network?.order[number];
    if (!item) return;
    store.reveal(item.path);
    store.select([item.path], "inside");
    this.layer(number);
  }

  /** @param {number} number @param {boolean} [again] also where it is shown already */
  layer(number, again = false) {
    if (number === this.number && this.maps && !again) return;
    if (number !== this.number) {
      const unit = this.data.units.find((/** @type {any} */ own) => own.path === store.network?.order[number].path);
      const piece = this.held.piece(this.image, number);
      this.channel = piece ? piece.channel : unit ? unit.channel : 0;
      this.at = piece ? piece.at : [];
      this.maps = null;
    }
    this.number = number;
    this.paint();
  }

  /** @param {number} channel */
  unit(channel) {
    this.channel = channel;
    this.at = this.maps ? this._strongest() : [];
    if (!this.maps) { this.paint(); return; }
    this._tiles();
    this._unit();
    this._picture();
  }

  /** @param {number[]} at */
  position(at) {
    this.at = at;
    this._unit();
    this._picture();
  }

  /** Where the chosen channel answers most. @returns {number[]} */
  _strongest() {
    const sizes = this.spatial(), maps = this.maps;
    if (!sizes.length) return [];
    if (!maps) return sizes.map((/** @type {number} */ size) => Math.floor(size / 2));
    const area = maps.height * maps.width;
    let best = 0;
    for (let place = 1; place < area; place += 1) if (maps.data[this.channel * area + place] > maps.data[this.channel * area + best]) best = place;
    const [rows, columns] = this.grid();
    const row = Math.min(rows - 1, Math.floor((Math.floor(best / maps.width) + 0.5) * rows / maps.height)), column = Math.min(columns - 1, Math.floor((best % maps.width + 0.5) * columns / maps.width));
    return sizes.length === 2 ? [row, column] : [column];
  }

  // Images and what lies over them

  _images() {
    const { images } = this.data;
    byId("inside-images").replaceChildren(...images.map((/** @type {any} */ image, /** @type {number} */ index) => {
      const answer = image.answers[0];
      const best = answer?.kind === "labels" ? answer.predicted.join(", ") || "no label" : answer?.predicted[0];
      const button = make("button", { type: "button", class: "thumb", title: image.name, "aria-pressed": "false", onclick: () => this.choose(index) },
        image.png ? make("img", { src: image.png, alt: "", width: 26, height: 26 }) : null,
        best || fileName(image.name));
      button.setAttribute("aria-label", `${image.name}${best ? `, ${best}` : ""}`);
      return button;
    }));
  }

  /** Everything that can lie over the image: methods, and the classes of a map. @returns {any[]} */
  layersOver() {
    const masks = this.here.answers.filter((/** @type {any} */ answer) => answer.mask).map((/** @type {any} */ answer) => ({ mask: answer.mask, method: "classes", said: `the class of each pixel, by ${answer.output}` }));
    return [...masks, ...(this.here.variants[this.variant]?.overlays ?? [])];
  }

  _overlays() {
    const over = this.layersOver();
    if (this.overlay > over.length) this.overlay = over.length;
    if (!this.started) {
      const cam = over.findIndex((item) => item.method === "gradcam");
      this.overlay = over.some((item) => item.mask) ? 1 : cam + 1;
      this.started = true;
    }
    const names = ["nothing", ...over.map((item) => METHOD_NAMES[item.method] ?? item.method)];
    byId("inside-overlays").replaceChildren(...names.map((name, index) => make("button", {
      type: "button", "aria-pressed": String(index === this.overlay), title: index ? (this.data.methods[over[index - 1].method] ?? over[index - 1].said) : "the image alone",
      onclick: () => { this.overlay = index; this._overlays(); this._picture(); },
    }, name)));
  }

  async _picture() {
    const image = this.here, canvas = byId("inside-picture");
    const turn = (this.drawn += 1);
    const room = Math.max(160, Math.min(byId("inside-left").clientWidth || 300, 420));
    const tall = image.png ? room * image.height / image.width : 90;
    const scale = Math.min(1, 420 / tall);
    const [width, height] = [room * scale, tall * scale];
    const over = this.layersOver()[this.overlay - 1];
    const picture = image.png ? await this.held.once(image.png, () => pictureOf(image.png)) : null;
    const laid = over ? await this._laid(over) : null;
    if (turn !== this.drawn) return;
    const context = sized(canvas, width, height);
    context.imageSmoothingEnabled = image.width > width;
    if (picture) context.drawImage(picture, 0, 0, width, height);
    else this._signal(context, width, height);
    if (laid) {
      context.save();
      context.globalAlpha = this.opacity;
      context.imageSmoothingEnabled = over.method === "gradcam" || laid.width > width;
      context.drawImage(laid, 0, 0, width, height);
      context.restore();
    }
    const seen = this.seen();
    if (seen) this._frame(context, seen, width / image.width, image.png ? height / image.height : height);
    canvas.setAttribute("aria-label", `${image.name}${over ? ` under ${METHOD_NAMES[over.method] ?? over.method}` : ""}`);
    byId("inside-name").textContent = [fileName(image.name), image.fitted].filter(Boolean).join(" · ");
    byId("inside-name").title = image.name;
    byId("inside-mix").hidden = !over;
    byId("inside-mixed").textContent = `${Math.round(100 * this.opacity)} %`;
    this._legend(over);
  }

  /** @param {CanvasRenderingContext2D} context @param {number} width @param {number} height */
  _signal(context, width, height) {
    const { line, lines, width: length } = this.here;
    const values = plainFloats(line);
    const least = values.reduce((a, b) => Math.min(a, b), Infinity), most = values.reduce((a, b) => Math.max(a, b), -Infinity);
    ["#2460c8", "#94650a", "#1c7a3e"].slice(0, lines).forEach((colour, channel) => {
      context.strokeStyle = colour;
      context.beginPath();
      for (let at = 0; at < length; at += 1) {
        const y = height - 3 - (values[at * lines + channel] - least) / (most - least || 1) * (height - 6);
        context.lineTo((at + 0.5) / length * width, y);
      }
      context.stroke();
    });
  }

  /** The part of the input that the chosen unit sees. */
  seen() {
    if (!this.maps && !this.at.length) return null;
    const found = seenBy(this.data.steps, this.number, this.at).get(this.data.source);
    return found && found.first.length ? found : null;
  }

  /** @param {CanvasRenderingContext2D} context @param {{first: number[], end: number[]}} seen @param {number} across @param {number} down */
  _frame(context, seen, across, down) {
    const [top, left] = seen.first.length === 2 ? seen.first : [0, seen.first[0]];
    const [bottom, right] = seen.end.length === 2 ? seen.end : [1, seen.end[0]];
    const box = /** @type {[number, number, number, number]} */ ([left * across + 0.5, top * down + 0.5, Math.max(2, (right - left) * across - 1), Math.max(2, (bottom - top) * down - 1)]);
    context.lineWidth = 3;
    context.strokeStyle = "#000a";
    context.strokeRect(...box);
    context.lineWidth = 1.5;
    context.strokeStyle = "#ffd43b";
    context.strokeRect(...box);
  }

  /** What lies over the image as a canvas. @param {any} over */
  async _laid(over) {
    if (over.mask) {
      const grey = await this.held.once(over.mask.png, () => greyOf(over.mask.png));
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [over.mask.width, over.mask.height];
      const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
      const image = context.createImageData(canvas.width, canvas.height);
      const colours = this.data.colours.map((/** @type {string} */ text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16)));
      grey.forEach((own, index) => image.data.set([...(colours[own] ?? [0, 0, 0]), 255], 4 * index));
      context.putImageData(image, 0, 0);
      return canvas;
    }
    const grey = await this.held.once(over.png, () => greyOf(over.png));
    return painted(grey, over.width, over.signed ? "signed" : "heat");
  }

  /** @param {any} over */
  _legend(over) {
    const figure = byId("inside-legend"), caption = figure.querySelector("figcaption");
    figure.hidden = !over;
    byId("inside-said").textContent = over ? over.said : "";
    if (!over) return;
    const ramp = byId("inside-ramp");
    ramp.hidden = Boolean(over.mask);
    if (over.mask) {
      const there = this.here.answers.find((/** @type {any} */ answer) => answer.mask === over.mask);
      caption.replaceChildren(make("ul", { class: "swatches" }, ...there.rated.map((/** @type {[string, number]} */ [name, share]) => {
        const number = over.mask.names.indexOf(name);
        const dot = make("span", { class: "swatch" });
        dot.style.background = this.data.colours[number] ?? "";
        return make("li", {}, dot, `${name} `, make("span", { class: "faint" }, percent(share, 1)));
      })));
      return;
    }
    const context = sized(ramp, 160, 10);
    const steps = Uint8Array.from({ length: 256 }, (_, index) => (over.signed ? Math.max(1, index) : index));
    context.drawImage(painted(steps, 256, over.signed ? "signed" : "heat"), 0, 0, 160, 10);
    const ends = over.signed ? `−${said(over.most)} … 0 … ${said(over.most)}` : `0 … ${said(over.most)}`;
    const beyond = over.over ? `; ${counted(over.over, "place")} beyond, up to ${said(over.largest)}` : "";
    caption.replaceChildren(`${ends}${beyond}`);
  }

  /** A click on the image: of a map of classes the pixel's class, else the unit whose window is centred there. @param {MouseEvent} event */
  async _pixel(event) {
    const image = this.here, box = byId("inside-picture").getBoundingClientRect();
    const row = Math.min(image.height - 1, Math.max(0, Math.floor((event.clientY - box.top) / box.height * image.height)));
    const column = Math.min(image.width - 1, Math.max(0, Math.floor((event.clientX - box.left) / box.width * image.width)));
    const mask = image.answers.find((/** @type {any} */ answer) => answer.mask)?.mask;
    if (mask) { await this._classAt(mask, row, column); return; }
    const sizes = this.spatial(), layer = store.network?.layers[this.number];
    if (!sizes.length || !layer) return;
    const wanted = sizes.length === 2 ? [row, column] : [column];
    this.position(sizes.map((/** @type {number} */ size, /** @type {number} */ axis) => Math.min(size - 1, Math.max(0, Math.round((wanted[axis] + 0.5 - layer.field.start[axis]) / layer.field.jump[axis])))));
  }

  /** @param {any} mask @param {number} row @param {number} column of the image */
  async _classAt(mask, row, column) {
    const image = this.here;
    // A smaller map is of the middle of the image.
    const y = row - Math.floor((image.height - mask.height) / 2), x = column - Math.floor((image.width - mask.width) / 2);
    const said = byId("inside-pixel");
    if (y < 0 || x < 0 || y >= mask.height || x >= mask.width) { said.textContent = `pixel ${row}, ${column}: the map says nothing of it`; return; }
    const grey = await this.held.once(mask.png, () => greyOf(mask.png));
    const shares = await this.held.once(mask.share, () => greyOf(mask.share));
    const number = grey[y * mask.width + x], share = shares[y * mask.width + x] / 255;
    const found = image.variants.findIndex((/** @type {any} */ own) => own.number === number);
    const name = mask.names[number];
    if (found >= 0) {
      const over = this.layersOver()[this.overlay - 1];
      this.variant = found;
      const index = this.layersOver().findIndex((own) => own.method === over?.method);
      this.overlay = index + 1;
      this._overlays();
      this._answer();
      this._picture();
    }
    said.replaceChildren(`pixel ${row}, ${column}: ${name}, ${Math.round(100 * share)} %. `, found >= 0
      ? `What speaks for ${name}: ${image.variants[found].what}. For this pixel alone: `
      : `The page has what speaks for ${image.variants.map((/** @type {any} */ own) => own.name).join(", ")}; for this pixel: `,
    this._command("--pixel", `${row},${column}`));
  }

  /** A command line to copy. @param {...string} more */
  _command(...more) {
    return make("code", { class: "command" }, ["archspec", "explain", this.data.run, this.here.name, ...more].map(quoted).join(" "));
  }

  // What the network says

  _answer() {
    const image = this.here;
    const box = byId("inside-answer");
    const variant = image.variants[this.variant];
    const parts = image.answers.flatMap((/** @type {any} */ answer) => {
      const head = image.answers.length > 1 ? [make("h4", {}, answer.output)] : [];
      const word = answer.kind === "mask" ? "share of the pixels" : answer.kind === "numbers" ? "" : answer.likely ? "" : "score";
      return [...head, word ? make("p", { class: "faint" }, word) : null, bars(answer, (name) => this._explainedFor(answer, name), variant)].filter(Boolean);
    });
    const why = variant ? [make("p", { class: "soft" }, `Explained is the ${variant.what}, ${variant.why}: ${said(variant.score)}.`)] : [];
    const missing = make("p", { id: "inside-other", role: "status" });
    box.replaceChildren(make("h3", {}, "what the network says"), ...parts, ...why, missing);
  }

  /** What is chosen by a click on a class. @param {any} answer @param {string} name */
  _explainedFor(answer, name) {
    const found = this.here.variants.findIndex((/** @type {any} */ own) => own.output === answer.output && own.name === name);
    if (found >= 0) {
      this.variant = found;
      this._overlays();
      this._answer();
      this._picture();
      return;
    }
    byId("inside-other").replaceChildren(`What speaks for ${name} is not in the page: `, this._command("--class", name));
  }

  _attacks() {
    const box = byId("inside-attacks");
    const { attacks, png } = this.here;
    box.hidden = !attacks.length;
    if (!attacks.length) return;
    const picture = (/** @type {string} */ source, /** @type {string} */ caption) => make("figure", {}, make("img", { src: source, alt: caption, class: this.here.width <= 96 ? "exact" : "" }), make("figcaption", {}, caption));
    box.replaceChildren(make("h3", {}, "adversarial examples"), ...attacks.flatMap((/** @type {any} */ own) => {
      const steps = own.steps > 1 ? `, ${own.steps} steps of ${said(own.rate)}` : "";
      return [
        make("h4", {}, `${own.method.toUpperCase()}, ε = ${said(own.epsilon)}${steps}`),
        make("div", { class: "beside row" },
          picture(png, "the image"), make("span", { class: "sign", "aria-hidden": "true" }, "+"),
          picture(own.difference, `difference ×${own.factor}, at most ${own.most}/255`), make("span", { class: "sign", "aria-hidden": "true" }, "="),
          picture(own.png, "the adversarial image")),
        make("div", { class: "beside" },
          make("div", { class: "column" }, make("p", { class: "faint" }, "before"), bars(own.before)),
          make("div", { class: "column" }, make("p", { class: "faint" }, "after"), bars(own.after))),
        make("p", { class: "faint" }, `It ${own.said}; probabilities are of the image as bytes.`),
      ];
    }));
  }

  _notes() {
    const { notes, left_out: left } = this.data;
    const list = (/** @type {string} */ title, /** @type {string[]} */ texts) => (texts.length ? [make("h3", {}, title), make("ul", { class: "lines" }, ...texts.map((text) => make("li", {}, text)))] : []);
    byId("inside-notes").replaceChildren(...list("did not fit", left), ...list("notes", notes));
  }

  // A layer

  async _paint() {
    const network = store.network;
    const item = network?.order[this.number];
    if (!network || !item?.layer) return;
    byId("inside-layer").replaceChildren(make("span", { class: `dot ${colours(item.layer)}` }), ` ${item.path} `, make("span", { class: "faint" }, item.kind));
    byId("inside-before").disabled = this.number === 0;
    byId("inside-after").disabled = this.number === network.order.length - 1;
    byId("inside-shape").textContent = `${item.layer.takes.map(dims).join(", ")} → ${dims(item.output)}${item.params ? `, ${counted(item.params, "parameter")}` : ""}`;
    const step = this.data.steps[this.number];
    byId("inside-lines").replaceChildren(...step.lines.map((/** @type {string} */ line) => make("li", {}, line)));
    const turn = (this.shown += 1);
    const maps = await this.held.maps(this.image, this.number);
    if (turn !== this.shown) return;
    this.maps = maps;
    if (!this.at.length) this.at = this._strongest();
    this._filters();
    this._tiles();
    this._field();
    await this._unit();
    await this._picture();
  }

  _filters() {
    const filters = this.data.filters;
    const box = byId("inside-filters");
    const path = store.network?.order[this.number].path;
    box.replaceChildren();
    if (!filters || filters.path !== path) return;
    const { number, height, width, colours: coloured, channels = 1, most } = filters;
    const size = Math.max(2, Math.min(8, Math.floor(44 / Math.max(height, width))));
    const whole = coloured ? width : channels * width;
    const tiles = Array.from({ length: number }, (_, index) => {
      const canvas = make("canvas", { title: `filter ${index}`, role: "img", "aria-label": `filter ${index}` });
      canvas.addEventListener("click", () => this.unit(index));
      return canvas;
    });
    box.append(make("h4", {}, "filters"), make("div", { class: "filters" }, ...tiles), make("p", { class: "faint" },
      coloured ? `weights from −${said(most)} to ${said(most)} as colours; grey is 0` : `blue is −${said(most)}, red is ${said(most)}${channels > 1 ? `; ${channels} input channels side by side` : ""}`));
    this.held.once(filters.png, async () => /** @type {CanvasImageSource} */ (coloured ? await pictureOf(filters.png) : painted((await greyOf(filters.png)).map((own) => Math.max(1, own)), whole, "signed"))).then((picture) => {
      tiles.forEach((canvas, index) => sized(canvas, whole * size, height * size).drawImage(picture, 0, index * height, whole, height, 0, 0, whole * size, height * size));
    });
  }

  _tiles() {
    const maps = this.maps, canvas = byId("inside-tiles"), head = byId("inside-tiles-head");
    const box = byId("inside-tiles-box");
    box.hidden = !maps;
    if (!maps) {
      head.replaceChildren(make("p", { class: "faint" }, "The maps of this layer are not in the page: "), this._command("--methods", "activations", "--layer", store.network?.order[this.number].path ?? ""));
      return;
    }
    const room = Math.max(200, box.clientWidth - 4);
    const { height, width, channels } = maps;
    const one = height * width === 1;
    let wide = one ? 22 : height === 1 ? 120 : Math.max(TILE, Math.min(width, 72));
    if (!one && channels <= 8 && height > 1) wide = Math.max(wide, Math.min(96, Math.floor(room / Math.min(channels, 8)) - 4));
    const high = one ? 22 : height === 1 ? 14 : Math.round(wide * height / width);
    const gap = one ? 2 : 4;
    const columns = Math.max(1, Math.min(channels, Math.floor((room + gap) / (wide + gap))));
    const rows = Math.ceil(channels / columns);
    this.laid = { columns, wide, high, gap };
    const context = sized(canvas, columns * (wide + gap) - gap + 4, rows * (high + gap) - gap + 4);
    const whole = scaleOf(maps.low.reduce((a, b) => Math.min(a, b)), maps.high.reduce((a, b) => Math.max(a, b)));
    context.imageSmoothingEnabled = width > wide;
    for (let channel = 0; channel < channels; channel += 1) {
      const scale = this.own && !one ? scaleOf(maps.low[channel], maps.high[channel]) : whole;
      const [x, y] = [2 + (channel % columns) * (wide + gap), 2 + Math.floor(channel / columns) * (high + gap)];
      context.drawImage(channelPicture(maps, channel, scale), x, y, wide, high);
      if (channel === this.channel) {
        context.lineWidth = 2.5;
        context.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--accent");
        context.strokeRect(x - 0.5, y - 0.5, wide + 1, high + 1);
      }
    }
    const [rowsOf, columnsOf] = this.grid();
    const less = columnsOf > width ? `, shown as ${height === 1 ? width : `${height}×${width}`}` : "";
    const word = one ? "numbers" : `${counted(channels, "map")} of ${height === 1 ? columnsOf : `${rowsOf}×${columnsOf}`}${less}`;
    canvas.setAttribute("aria-label", `${one ? counted(channels, "number") : word}; arrow keys choose one`);
    const ownRange = one ? null : make("label", { class: "faint" }, make("input", { type: "checkbox", id: "inside-own" }), " each by its own range");
    head.replaceChildren(make("p", {}, `${one ? counted(channels, "number") : word}, ${whole.ramp === "grey" ? `black ${said(whole.low)}, white ${said(whole.high)}` : `blue ${said(whole.low)}, red ${said(whole.high)}`}`,
      maps.exact ? null : make("span", { class: "faint" }, ", to 1/255 of each map's range")), ownRange ?? "");
    const check = byId("inside-own");
    if (check) {
      check.checked = this.own;
      check.addEventListener("change", () => { this.own = check.checked; this._tiles(); byId("inside-own").focus(); });
    }
  }

  /** @param {MouseEvent} event @returns {number | null} */
  _tileAt(event) {
    const { columns, wide, high, gap } = this.laid;
    const box = byId("inside-tiles").getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left - 2 + gap / 2) / (wide + gap)), row = Math.floor((event.clientY - box.top - 2 + gap / 2) / (high + gap));
    const channel = row * columns + column;
    return this.maps && column >= 0 && column < columns && row >= 0 && channel < this.maps.channels ? channel : null;
  }

  /** The measured receptive field beside the theoretical one. */
  async _field() {
    const path = store.network?.order[this.number].path ?? "";
    const field = this.data.fields[path], box = byId("inside-field");
    box.replaceChildren();
    if (!field) return;
    const canvas = make("canvas", { role: "img", "aria-label": "effective receptive field" });
    const [rows, columns] = field.theoretical.first.length === 2 ? [0, 1].map((axis) => field.theoretical.end[axis] - field.theoretical.first[axis]) : [1, field.theoretical.end[0] - field.theoretical.first[0]];
    box.append(make("h4", {}, "receptive field"), make("div", { class: "beside" }, canvas, make("p", { class: "soft" },
      `What position ${field.position.join(", ")} has to do with each pixel, measured: `, make("b", {}, counted(field.pixels, "pixel")), " above 4.55 % of the largest, of ",
      make("b", {}, `${rows}×${columns} = ${whole(rows * columns)}`), ` that it could see in theory${field.theoretical.exact ? "" : ", or fewer"} (yellow). Outside: ${said(field.outside)}.`)));
    const grey = await this.held.once(field.png, () => greyOf(field.png));
    const scale = Math.min(150 / field.width, 150 / field.height, 8);
    const context = sized(canvas, field.width * scale, Math.max(8, field.height * scale));
    context.drawImage(painted(grey, field.width, "heat"), 0, 0, field.width * scale, Math.max(8, field.height * scale));
    this._frame(context, field.theoretical, scale, field.height > 1 ? scale : 8);
  }

  // A unit

  async _unit() {
    const network = store.network, maps = this.maps;
    const path = network?.order[this.number].path ?? "";
    const places = this.at.length ? ` at ${this.at.join(", ")}` : "";
    byId("inside-unit-title").textContent = `unit: channel ${this.channel} of ${path}${places}`;
    const box = byId("inside-map-box");
    box.hidden = !maps || !this.at.length;
    if (maps && this.at.length) {
      const scale = scaleOf(maps.low[this.channel], maps.high[this.channel]);
      const canvas = byId("inside-map");
      const flat = maps.height === 1;
      const size = Math.min(MAP, Math.max(150, byId("inside-unit").clientWidth / 2 - 20));
      const wide = flat ? Math.min(byId("inside-unit").clientWidth - 8, 480) : maps.width >= maps.height ? size : size * maps.width / maps.height;
      const high = flat ? 28 : wide * maps.height / maps.width;
      const context = sized(canvas, wide, high);
      context.drawImage(channelPicture(maps, this.channel, scale), 0, 0, wide, high);
      const [row, column] = this.at.length === 2 ? this.at : [0, this.at[0]];
      const [rows, columns] = this.grid();
      const [across, down] = [wide / columns, high / rows];
      context.lineWidth = 3; context.strokeStyle = "#000a";
      context.strokeRect(column * across, row * down, Math.max(across, 3), Math.max(down, 3));
      context.lineWidth = 1.5; context.strokeStyle = "#ffd43b";
      context.strokeRect(column * across, row * down, Math.max(across, 3), Math.max(down, 3));
      const value = maps.data[(this.channel * maps.height + Math.min(maps.height - 1, Math.floor((row + 0.5) * maps.height / rows))) * maps.width + Math.min(maps.width - 1, Math.floor((column + 0.5) * maps.width / columns))];
      byId("inside-map-said").textContent = `its map: ${said(maps.low[this.channel])} … ${said(maps.high[this.channel])}; here ${maps.exact ? "" : "about "}${said(value)}. A click or the arrow keys choose a position.`;
      canvas.setAttribute("aria-label", `map of channel ${this.channel}, position ${this.at.join(", ")}; arrow keys move`);
    }
    await this._window();
    await this._walk();
    this._patches(path);
  }

  async _window() {
    const seen = this.seen(), box = byId("inside-window-box"), image = this.here;
    box.hidden = !seen || !image.png || seen.first.length !== 2;
    if (!seen || !image.png || seen.first.length !== 2) return;
    const [rows, columns] = [0, 1].map((axis) => seen.end[axis] - seen.first[axis]);
    const picture = await this.held.once(image.png, () => pictureOf(image.png));
    const scale = Math.min(150 / rows, 150 / columns);
    const context = sized(byId("inside-window"), columns * scale, rows * scale);
    context.imageSmoothingEnabled = scale < 1;
    context.drawImage(picture, seen.first[1], seen.first[0], columns, rows, 0, 0, columns * scale, rows * scale);
    byId("inside-window").setAttribute("aria-label", "what the unit sees of the image");
    byId("inside-window-said").textContent = `sees ${rows}×${columns} pixels: rows ${seen.first[0]}–${seen.end[0] - 1}, columns ${seen.first[1]}–${seen.end[1] - 1}${seen.exact ? "" : ", or fewer"}`;
  }

  async _walk() {
    const box = byId("inside-walk");
    const [image, number, channel, at] = [this.image, this.number, this.channel, [...this.at]];
    const terms = await this.held.terms(image, number, channel, at);
    const values = await this.held.values(image, number);
    if (image !== this.image || number !== this.number || channel !== this.channel || at.join() !== this.at.join()) return;
    if (terms) {
      const own = values ? valueAt(values, at, channel) : this.held.piece(image, number)?.value ?? null;
      box.replaceChildren(...walkthrough(terms, own));
      return;
    }
    const piece = this.held.piece(image, number);
    const name = piece ? `channel ${piece.channel}${piece.at.length ? ` at ${piece.at.join(", ")}` : ""}` : "";
    const form = this.data.steps[number].form;
    box.replaceChildren(make("h4", {}, "how it is computed"), make("p", { class: "soft" },
      form ? "The numbers of this unit did not fit into the page" : "Of a layer of this kind the page does not take units apart",
      piece ? make("span", {}, "; those of ", make("button", { type: "button", onclick: () => { this.channel = piece.channel; this.at = piece.at; this._tiles(); this._unit(); this._picture(); } }, name), " are in it.") : "."));
    if (this.data.walk) {
      const path = store.network?.order[number].path ?? "";
      const way = ["archspec", "walkthrough", this.data.run, "--layer", path, ...this.data.walk.channel, String(channel), ...(at.length ? [...this.data.walk.at, at.join(",")] : []), ...this.data.walk.image, this.here.name];
      box.append(make("code", { class: "command" }, way.map(quoted).join(" ")));
    }
  }

  /** @param {string} path */
  _patches(path) {
    const unit = this.data.units.find((/** @type {any} */ own) => own.path === path && own.channel === this.channel);
    const box = byId("inside-patches"), more = byId("inside-visualised");
    const name = `${path}:${this.channel}`;
    if (unit?.patches.length) {
      box.replaceChildren(make("h4", {}, "what excites it most"), make("div", { class: "patches" }, ...unit.patches.map((/** @type {any} */ patch) => make("figure", { title: `${patch.name}, position ${patch.position.join(", ")}` },
        patch.png ? make("img", { src: patch.png, class: Math.max(patch.height, patch.width) <= 64 ? "exact" : "", alt: `part of ${patch.name}` }) : null,
        make("figcaption", {}, said(patch.value))))),
      make("p", { class: "faint" }, `of ${counted(unit.looked, `${unit.part} sample`)}, each once, where it answers most; the numbers are its answers`));
    } else if (!this.data.data) box.replaceChildren(make("h4", {}, "what excites it most"), make("p", { class: "soft" }, "Imported weights have no dataset of their own to look through."));
    else box.replaceChildren(make("h4", {}, "what excites it most"), make("p", { class: "soft" }, "The patches of this unit are not in the page: ", this._command("--methods", "unit", "--unit", name)));
    if (unit?.visualised) {
      const { png, before, after, said: how } = unit.visualised;
      more.replaceChildren(make("h4", {}, "feature visualisation"), make("div", { class: "beside" }, make("img", { src: png, class: this.here.width <= 96 ? "exact large" : "large", alt: `an input that excites channel ${this.channel} of ${path}` }),
        make("p", { class: "soft" }, `An input that was looked for: the unit's answer went from ${said(before)} to ${said(after)}. `, make("span", { class: "faint" }, how))));
    } else if (this.data.takes !== "image") more.replaceChildren();
    else more.replaceChildren(make("h4", {}, "feature visualisation"), make("p", { class: "soft" }, "It is not in the page: ", this._command("--methods", "visualisation", "--unit", name)));
  }
}

/** @type {Record<string, string>} */
const METHOD_NAMES = {
  saliency: "saliency", smoothgrad: "SmoothGrad", integrated_gradients: "integrated gradients", guided_backprop: "guided backpropagation",
  gradcam: "Grad-CAM", occlusion: "occlusion", classes: "classes",
};

/** The last part of a path. @param {string} name */
function fileName(name) {
  return name.split(/[\\/]/).pop() || name;
}

/** A word of a command line as a shell reads it back. @param {string} word */
function quoted(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\"'\"'")}'`;
}

/** The number of a block's last layer. @param {Item} item */
function lastOf(item) {
  const indices = item.indices;
  return indices[indices.length - 1];
}

/** What an answer rates, as bars. @param {any} answer @param {((name: string) => void) | null} [chosen] @param {any} [variant] */
function bars(answer, chosen = null, variant = null) {
  const shares = answer.likely && answer.kind !== "numbers";
  const most = answer.rated.reduce((/** @type {number} */ top, /** @type {[string, number]} */ [, value]) => Math.max(top, Math.abs(value)), 0) || 1;
  const list = make("ul", { class: "bars" }, ...answer.rated.slice(0, 5).map((/** @type {[string, number]} */ [name, value]) => {
    const bar = make("span", { class: "length" });
    bar.style.width = `${100 * Math.abs(value) / (shares ? 1 : most)}%`;
    const label = chosen ? make("button", { type: "button", "aria-pressed": String(variant?.output === answer.output && variant?.name === name), title: `what speaks for ${name}`, onclick: () => chosen(name) }, name) : make("span", { class: "label" }, name);
    return make("li", {}, label, make("span", { class: "rail" }, bar), make("span", { class: "value" }, shares ? percent(value, 1) : said(value)));
  }));
  const rest = answer.rated.length - Math.min(5, answer.rated.length) + answer.rest;
  return make("div", {}, list, rest ? make("p", { class: "faint" }, `and ${whole(rest)} more`) : null);
}

/** A table of numbers, coloured about 0. @param {number[]} numbers @param {number} columns @param {string} caption @param {(index: number) => string} [mark] */
function grid(numbers, columns, caption, mark = () => "") {
  const most = numbers.reduce((top, own) => Math.max(top, Math.abs(own)), 0) || 1;
  const rows = [];
  for (let start = 0; start < numbers.length; start += columns) {
    rows.push(make("tr", {}, ...numbers.slice(start, start + columns).map((value, offset) => {
      const cell = make("td", { class: mark(start + offset) || null, title: String(value) }, said(value));
      cell.style.setProperty("--share", `${Math.round(55 * Math.abs(value) / most)}%`);
      if (value < 0) cell.classList.add("below");
      return cell;
    })));
  }
  return make("table", { class: "numbers" }, make("caption", {}, caption), make("tbody", {}, ...rows));
}

/** A unit taken apart. @param {Terms} terms @param {number | null} array what the array has @returns {any[]} */
function walkthrough(terms, array) {
  const { op, shape, values, weights, inside, bias, sum, total } = terms;
  const parts = [make("h4", {}, "how it is computed")];
  const line = (/** @type {string} */ text) => parts.push(make("p", { class: "sum" }, text));
  const padded = (/** @type {number} */ index) => (inside[index] ? "" : "outside");
  const plus = (/** @type {number} */ value) => (value < 0 ? ` − ${said(-value)}` : ` + ${said(value)}`);
  if (op === "conv" || op === "transposed") {
    const inner = shape[shape.length - 1], taps = values.length / inner, columns = shape[shape.length - 2];
    const sums = Array.from({ length: inner }, (_, c) => {
      let own = 0;
      for (let tap = 0; tap < taps; tap += 1) own += values[tap * inner + c] * /** @type {Float64Array} */ (weights)[tap * inner + c];
      return own;
    });
    const order = sums.map((_, c) => c).sort((a, b) => Math.abs(sums[b]) - Math.abs(sums[a]) || a - b);
    const box = make("div", { class: "walk" });
    const show = (/** @type {number} */ c) => {
      const of = (/** @type {(index: number) => number} */ value) => Array.from({ length: taps }, (_, tap) => value(tap * inner + c));
      const mark = (/** @type {number} */ tap) => padded(tap * inner + c);
      const own = /** @type {Float64Array} */ (weights);
      box.replaceChildren(
        grid(of((index) => values[index]), columns, "patch", mark), make("span", { class: "sign" }, "·"),
        grid(of((index) => own[index]), columns, "kernel", mark), make("span", { class: "sign" }, "="),
        grid(of((index) => values[index] * own[index]), columns, `products, sum ${said(sums[c])}`, mark));
    };
    if (inner > 1) {
      const select = make("select", { "aria-label": "input channel" }, ...order.slice(0, 200).map((c) => make("option", { value: c }, `input channel ${(terms.first ?? 0) + c}: ${said(sums[c])}`)));
      select.addEventListener("change", () => show(Number(select.value)));
      parts.push(make("p", {}, select, make("span", { class: "faint" }, ` of ${counted(inner, "input channel")}, the largest sums first`)));
    }
    show(order[0]);
    parts.push(box);
    const shown = order.slice(0, 4).map((c) => sums[c]);
    const rest = sum - shown.reduce((a, b) => a + b, 0);
    const added = shown.map((own, index) => (index ? plus(own) : said(own))).join("") + (inner > 4 ? `${plus(rest)} (${counted(inner - 4, "more channel")})` : "");
    line(`${inner > 1 ? added : said(sum)}${bias === null ? "" : `${plus(bias)} (bias)`} = ${said(total)}`);
    if (inside.some((own) => !own)) parts.push(make("p", { class: "faint" }, op === "conv" ? "Faint numbers lie in the padding and are 0." : "Faint taps fall between input positions, or outside."));
  } else if (op === "dense") {
    const own = /** @type {Float64Array} */ (weights);
    const order = Array.from(values.keys()).sort((a, b) => Math.abs(values[b] * own[b]) - Math.abs(values[a] * own[a]) || a - b).slice(0, NEAR / 2);
    const kept = order.reduce((total, index) => total + values[index] * own[index], 0);
    parts.push(make("table", { class: "numbers long" }, make("caption", {}, "the largest products"), make("thead", {}, make("tr", {}, ...["feature", "value", "weight", "product"].map((name) => make("th", { scope: "col" }, name)))),
      make("tbody", {}, ...order.map((index) => make("tr", {}, make("th", { scope: "row" }, String(index)), ...[values[index], own[index], values[index] * own[index]].map((value) => make("td", { title: String(value) }, said(value))))))));
    const more = values.length - order.length;
    line(`${said(kept)}${more ? `${plus(sum - kept)} (${counted(more, "more product")})` : ""}${bias === null ? "" : `${plus(bias)} (bias)`} = ${said(total)}`);
  } else if (op === "max" || op === "mean" || op === "unpool") {
    const columns = shape[shape.length - 1];
    const few = values.length <= 400;
    const name = op === "unpool" ? "what windows put here" : "patch";
    if (few) parts.push(make("div", { class: "walk" }, grid(Array.from(values), columns, name, (index) => `${padded(index)} ${index === terms.winner ? "winner" : ""}`.trim())));
    else parts.push(make("p", { class: "soft" }, `The window has ${counted(values.length, "number")}.`));
    if (op === "max") line(`the largest is ${said(total)}, tap ${terms.winner}`);
    else if (op === "mean") line(`sum ${said(sum)} / ${terms.divisor} = ${said(total)}`);
    else line(inside.some((own) => own) ? `= ${said(total)}` : "no maximum was found here: 0");
  } else if (op === "batch_norm") {
    const { mean, variance, epsilon, scale, bias: shift } = /** @type {Record<string, number>} */ (terms.numbers);
    line(`scale·(x − μ)/√(σ² + ε) + bias = ${said(scale)}·(${said(values[0])} − ${said(mean)})/√(${said(variance)} + ${said(epsilon)})${plus(shift)} = ${said(total)}`.replaceAll("− −", "+ "));
  } else if (op === "relu") line(`max(0, ${said(values[0])}) = ${said(total)}`);
  else if (op === "add") line(`${Array.from(values, (own, index) => (index ? plus(own) : said(own))).join("")} = ${said(total)}`);
  if (array !== null) {
    const apart = Math.abs(array - total) / (terms.magnitude || 1);
    parts.push(make("p", { class: "faint" }, `The network's array has ${said(array)} here${apart <= 1e-6 ? "" : `, ${said(apart)} of Σ|terms| apart`}.`));
  }
  return parts;
}

const inside = new Inside();
byId("keys").querySelector("dl").append(make("dt", {}, "arrows"), make("dd", {}, "inside: from map to map, from position to position"));
tab(matchMedia("(min-width: 761px)").matches ? "table" : "inside");
