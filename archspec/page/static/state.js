// What the page knows of the network, and what is selected, hovered and unfolded; panels listen to it.

/**
 * @typedef {object} Layer
 * @property {string} path @property {string} kind @property {string} family @property {Record<string, string>} fields
 * @property {number[]} inputs @property {number[][]} takes @property {number[]} output
 * @property {number} params @property {number} statistics @property {number} macs @property {number} flops
 * @property {number} bytes @property {[number, number, number] | null} lines
 * @property {{size: number[], jump: number[], start: number[]}} field
 * @property {number | null} sees number of the input that the field is one of
 * @property {[string, number[]][]} others the sizes of its fields of further inputs
 */

/** A layer or a block of the network. */
class Item {
  /** @param {any} facts @param {Item | null} parent @param {Layer | null} layer @param {number} index */
  constructor(facts, parent, layer, index) {
    /** @type {string} */ this.path = facts.path;
    /** @type {string} */ this.kind = facts.kind;
    /** @type {Item | null} */ this.parent = parent;
    /** @type {Layer | null} */ this.layer = layer;
    /** Index of the first layer. @type {number} */ this.index = index;
    /** @type {Item[]} */ this.parts = [];
    /** @type {string} */ this.name = facts.name ?? (parent && parent.path ? facts.path.slice(parent.path.length + 1) : facts.path);
    /** @type {number} */ this.depth = parent ? parent.depth + 1 : 0;
    this.count = layer ? 1 : facts.count;
    /** @type {number[]} */ this.output = facts.output;
    /** @type {number} */ this.params = facts.params;
    /** @type {number} */ this.macs = facts.macs;
    /** @type {number} */ this.flops = facts.flops;
    /** @type {number} */ this.bytes = facts.bytes;
    /** Whose arrays it uses, and whether it has none of its own. @type {[string, boolean] | undefined} */
    this.tie = facts.tie;
    /** Source, first and last line. @type {[number, number, number] | null} */ this.lines = facts.lines;
  }

  get isBlock() {
    return this.parts.length > 0;
  }

  /** Indices of the layers inside. @returns {number[]} */
  get indices() {
    return this.layer ? [this.index] : this.parts.flatMap((part) => part.indices);
  }

  /** This and all inside, from the outside in. @returns {Generator<Item>} */
  *walk() {
    yield this;
    for (const part of this.parts) yield* part.walk();
  }
}

/** The network of one payload. */
class Network {
  /** @param {any} model */
  constructor(model) {
    this.model = model;
    /** @type {Layer[]} */ this.layers = model.layers;
    /** By path; a map, since a layer may be called as something that every object has. @type {Map<string, Frame>} */
    this.frames = new Map(Object.entries(model.frames));
    /** @type {Map<string, Item>} */ this.items = new Map();
    /** Layers in the order of computation. @type {Item[]} */ this.order = [];
    this.root = this._grow(model.tree, null);
    /** Numbers of the layers that take a layer's output. @type {number[][]} */
    this.users = this.layers.map(() => []);
    this.layers.forEach((layer, index) => layer.inputs.forEach((source) => source >= 0 && this.users[source].push(index)));
    /** The depth of the innermost blocks and runs. */
    this.deepest = 0;
    for (const item of this.items.values()) if (item.isBlock) this.deepest = Math.max(this.deepest, item.depth);
    for (const path of this._runs()) this.deepest = Math.max(this.deepest, this._level(path));
  }

  /** @param {any} block @param {Item | null} parent @returns {Item} */
  _grow(block, parent) {
    const item = new Item(block, parent, null, 0);
    this.items.set(item.path, item);
    for (const part of block.parts) {
      if (typeof part === "number") {
        const leaf = new Item(this.layers[part], item, this.layers[part], part);
        this.items.set(leaf.path, leaf);
        this.order[part] = leaf;
        item.parts.push(leaf);
      } else item.parts.push(this._grow(part, item));
    }
    item.index = item.parts.length ? item.parts[0].index : 0;
    return item;
  }

  /**
   * The blocks and frames that are unfolded when everything down to a depth is seen. A run of alike blocks, which the
   * drawing alone has, is unfolded with the blocks in it.
   * @param {number} depth @returns {Set<string>}
   */
  openedTo(depth) {
    const paths = new Set();
    for (const item of this.items.values()) if (item.isBlock && item.path && item.depth < depth) paths.add(item.path);
    for (const path of this._runs()) if (this._level(path) < depth) paths.add(path);
    return paths;
  }

  /** The paths of what only the drawing folds. @returns {string[]} */
  _runs() {
    return [...this.frames.keys()].filter((path) => path && !this.items.has(path));
  }

  /** The depth of the blocks in a run, or of its layers. @param {string} path @returns {number} */
  _level(path) {
    const first = this.frames.get(path)?.boxes[0]?.path ?? "";
    return this.items.get(first)?.depth ?? (this.frames.has(first) ? this._level(first) : 0);
  }

  /** How many boxes are seen when blocks are unfolded to a depth. @param {number} depth */
  seenAt(depth) {
    const opened = this.openedTo(depth);
    const count = (/** @type {string} */ path) => {
      let sum = 0;
      for (const box of this.frames.get(path)?.boxes ?? []) sum += opened.has(box.path) && this.frames.has(box.path) ? count(box.path) : 1;
      return sum;
    };
    return count("");
  }

  /** The frames in which an item's first layer is, without its own. @param {Item} item @returns {string[]} */
  framesAround(item) {
    const paths = [];
    for (let path = "", frame = this.frames.get(path); frame && path !== item.path; frame = this.frames.get(path)) {
      if (path) paths.push(path);
      const box = frame.boxes.find((candidate) => candidate.layers.includes(item.index));
      if (!box || box.path === item.path) break;
      path = box.path;
    }
    return paths;
  }

  /** The blocks and layers that a box of the drawing stands for: itself, or what is in a run. @param {string} path @returns {string[]} */
  behind(path) {
    if (this.items.has(path)) return [path];
    // The boxes of the network's input and outputs stand for no layer.
    return (this.frames.get(path)?.boxes ?? []).flatMap((box) => this.behind(box.path));
  }

  /** The outermost folded block around an item, or the item itself. @param {Item} item @param {Set<string>} opened */
  seen(item, opened) {
    let outermost = item;
    for (let at = item.parent; at && at.path; at = at.parent) if (!opened.has(at.path)) outermost = at;
    return outermost;
  }
}

/** The state that the panels share. A change calls the listeners of its name. */
const store = {
  /** @type {Network | null} */ network: null,
  /** @type {{name: string, text: string}[]} */ sources: [],
  /** The texts that the network's lines are of. @type {{name: string, text: string}[]} */ madeOf: [],
  /** @type {any[]} */ problems: [],
  /** What a legend calls the families of layers. @type {Record<string, string>} */ words: {},
  /** Whether the picture is older than the text. */ stale: false,
  /** @type {string[]} */ selected: [],
  /** @type {string[]} */ hovered: [],
  /** @type {Set<string>} */ opened: new Set(),
  /** @type {Record<string, ((detail?: any) => void)[]>} */ listeners: {},

  /** @param {string} names @param {(detail?: any) => void} action */
  on(names, action) {
    for (const name of names.split(" ")) (this.listeners[name] ??= []).push(action);
  },

  /** @param {string} name @param {any} [detail] */
  tell(name, detail) {
    for (const action of this.listeners[name] ?? []) action(detail);
  },

  /** @param {string[]} paths @param {string} [from] the panel that it was done in, which then need not scroll */
  select(paths, from = "") {
    this.selected = paths.filter((path) => this.network?.items.has(path));
    this.tell("select", from);
  },

  /** @param {string[]} paths @param {string} [from] */
  hover(paths, from = "") {
    if (paths.length === this.hovered.length && paths.every((path, index) => path === this.hovered[index])) return;
    this.hovered = paths;
    this.tell("hover", from);
  },

  /** @param {Iterable<string>} paths the blocks that are unfolded @param {string | null} [anchor] the block that stays where it is */
  open(paths, anchor = null) {
    this.opened = new Set(paths);
    this.tell("open", anchor);
  },

  /** Unfolds or folds a block. @param {string} path */
  toggle(path) {
    const opened = new Set(this.opened);
    if (!opened.delete(path)) opened.add(path);
    this.open(opened, path);
  },

  /** Selects an item and shows it everywhere. @param {string} path */
  go(path) {
    if (!this.network?.items.has(path)) return;
    this.reveal(path);
    this.select([path]);
  },

  /** Unfolds every block around an item. @param {string} path */
  reveal(path) {
    const opened = new Set(this.opened);
    const network = this.network;
    const item = network?.items.get(path);
    if (!network || !item) return;
    for (let at = item.parent; at && at.path; at = at.parent) opened.add(at.path);
    for (const frame of network.framesAround(item)) opened.add(frame);
    if (opened.size !== this.opened.size) this.open(opened);
    this.tell("reveal", path);
  },

  /** The selected and hovered items. @returns {{selected: Item[], hovered: Item[]}} */
  marked() {
    const find = (/** @type {string[]} */ paths) => paths.flatMap((path) => this.network?.items.get(path) ?? []);
    return { selected: find(this.selected), hovered: find(this.hovered) };
  },
};

/** A link to the layer or block whose arrays something uses. @param {string} path @param {string} text */
function toTie(path, text) {
  return make("button", { type: "button", class: "tie", "data-tie": path, title: `uses the weights of ${path}`, onclick: () => store.go(path) }, text);
}

/** The class of a layer's colours. @param {Layer} layer */
function colours(layer) {
  return `family-${layer.family}`;
}
