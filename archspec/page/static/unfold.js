// Where everything lies when blocks are unfolded: `unfold` of archspec/drawing/unfolding.py once more, so that folding needs no
// new layout. The tests hold the two to the same coordinates.

const TITLE = 24, SIDE = 12, STACK = 3;

/**
 * @typedef {[path: string, whole: boolean, exact: boolean] | undefined} Tie
 * @typedef {{path: string, x: number, y: number, width: number, height: number, kind: string, heading: string, lines: string[],
 *   layers: number[], families: string[], count: number, tie: Tie}} Box
 * @typedef {{source: string, target: string, tensor: string, points: [number, number][], shape: string, port: string, skip: boolean}} Link
 * @typedef {{path: string, heading: string, heading_width: number, width: number, height: number, boxes: Box[], links: Link[], tie: Tie}} Frame
 * @typedef {{path: string, heading: string, x: number, y: number, width: number, height: number, level: number, tie: Tie}} Outline
 * @typedef {{width: number, height: number, boxes: Box[], outlines: Outline[], links: Link[]}} Picture
 * @typedef {{picture: Picture, anchor: number, entries: Map<string, number>, exits: Map<string, number>}} Opened
 */

/**
 * A monotone, piecewise linear map that makes room: each need (low, high, length) becomes at least so long, nothing shrinks.
 * @param {[number, number, number][]} needs @returns {(value: number) => number}
 */
function stretch(needs) {
  const at = [...new Set(needs.flatMap(([low, high]) => [low, high]))].sort((a, b) => a - b);
  const to = [...at];
  const number = new Map(at.map((place, index) => [place, index]));
  for (const [low, high, length] of needs) {
    const first = /** @type {number} */ (number.get(low)), last = /** @type {number} */ (number.get(high));
    const now = to[last] - to[first];
    if (length <= now || last === first) continue;
    const base = to[first], factor = length / now;
    for (let index = first + 1; index < to.length; index += 1) {
      to[index] = index <= last ? base + (to[index] - base) * factor : to[index] + length - now;
    }
  }
  return (value) => {
    if (!at.length) return value;
    let index = 0, end = at.length;
    while (index < end) {
      const middle = (index + end) >> 1;
      if (value < at[middle]) end = middle;
      else index = middle + 1;
    }
    if (index === 0) return value - at[0] + to[0];
    if (index === at.length) return value - at[index - 1] + to[index - 1];
    return to[index - 1] + ((value - at[index - 1]) / (at[index] - at[index - 1])) * (to[index] - to[index - 1]);
  };
}

/**
 * The network with some blocks open. Paths without a frame, or in a folded block, do nothing.
 * @param {Map<string, Frame>} frames @param {Set<string>} opened @returns {Picture}
 */
function unfold(frames, opened) {
  return unfolded(frames, "", opened, 0).picture;
}

/** @param {Map<string, Frame>} frames @param {string} path @param {Set<string>} opened @param {number} level @returns {Opened} */
function unfolded(frames, path, opened, level) {
  const frame = /** @type {Frame} */ (frames.get(path));
  /** @type {Map<string, Opened>} */ const inner = new Map();
  for (const box of frame.boxes) {
    if (opened.has(box.path) && frames.has(box.path)) inner.set(box.path, unfolded(frames, box.path, opened, level + 1));
  }
  /** @type {[number, number, number][]} */ const across = [], /** @type {[number, number, number][]} */ along = [];
  for (const box of frame.boxes) {
    const within = inner.get(box.path);
    if (!within) continue;
    across.push([box.x - box.width / 2, box.x, SIDE + within.anchor], [box.x, box.x + box.width / 2, SIDE + within.picture.width - within.anchor]);
    along.push([box.y - box.height / 2, box.y + box.height / 2, TITLE + within.picture.height + SIDE]);
  }
  const xOf = stretch(across), yOf = stretch(along);
  const xShift = -xOf(0), yShift = -yOf(0);
  /** @type {Picture} */ const picture = { width: xOf(frame.width) + xShift, height: yOf(frame.height) + yShift, boxes: [], outlines: [], links: [] };
  /** Where a box is now, its upper and its lower side. @type {Map<string, [number, number, number]>} */ const sides = new Map();
  /** @type {Map<string, [number, number]>} */ const corners = new Map();
  for (const box of frame.boxes) {
    const x = xOf(box.x) + xShift;
    const y = (yOf(box.y - box.height / 2) + yOf(box.y + box.height / 2)) / 2 + yShift;
    const within = inner.get(box.path);
    if (!within) {
      picture.boxes.push({ ...box, x, y });
      sides.set(box.path, [x, y - box.height / 2, y + box.height / 2]);
      continue;
    }
    const width = SIDE + within.picture.width + SIDE, height = TITLE + within.picture.height + SIDE;
    const left = x - within.anchor, top = y - height / 2 + TITLE;
    corners.set(box.path, [left, top]);
    sides.set(box.path, [x, y - height / 2, y + height / 2]);
    const { heading, tie } = /** @type {Frame} */ (frames.get(box.path));
    picture.outlines.push({ path: box.path, heading, tie, x: left - SIDE + width / 2, y, width, height, level: level + 1 });
    for (const item of within.picture.boxes) picture.boxes.push({ ...item, x: item.x + left, y: item.y + top });
    for (const item of within.picture.outlines) picture.outlines.push({ ...item, x: item.x + left, y: item.y + top });
    for (const link of within.picture.links) {
      /** @type {[number, number][]} */ const points = link.points.map(([px, py]) => [px + left, py + top]);
      // What enters or leaves goes on to the outline's side.
      if (!link.source) points[0][1] = y - height / 2;
      if (!link.target) points[points.length - 1][1] = y + height / 2;
      picture.links.push({ ...link, source: link.source || box.path, target: link.target || box.path, points });
    }
  }
  const before = new Map(frame.boxes.map((box) => [box.path, box.x]));
  /** @type {Map<string, number>} */ const entries = new Map(), /** @type {Map<string, number>} */ exits = new Map();
  for (const link of frame.links) {
    /** @type {[number, number][]} */ const points = link.points.map(([px, py]) => [xOf(px) + xShift, yOf(py) + yShift]);
    const last = points.length - 1;
    for (const [end, name, beside] of /** @type {[number, string, number][]} */ ([[0, link.source, 1], [last, link.target, last - 1]])) {
      if (name) {
        const [x, upper, lower] = /** @type {[number, number, number]} */ (sides.get(name));
        const within = inner.get(name), corner = corners.get(name);
        points[end] = [x + link.points[end][0] - /** @type {number} */ (before.get(name)), end === 0 ? lower : upper];
        // Of very many tensors, not the same may be drawn inside.
        if (within && corner) points[end][0] = ((end === 0 ? within.exits : within.entries).get(link.tensor) ?? within.anchor) + corner[0];
      }
      points[beside] = [points[end][0], points[beside][1]];
    }
    if (!link.source && !entries.has(link.tensor)) entries.set(link.tensor, points[0][0]);
    if (!link.target && !exits.has(link.tensor)) exits.set(link.tensor, points[last][0]);
    picture.links.push({ ...link, points });
  }
  const anchor = [...entries.values()][0] ?? picture.width / 2;
  const more = level ? frame.heading_width - anchor : 0;
  if (more <= 0 || anchor + more <= picture.width - anchor) return { picture, anchor, entries, exits };
  // The title has room on the left of what enters.
  for (const item of [...picture.boxes, ...picture.outlines]) item.x += more;
  for (const link of picture.links) for (const point of link.points) point[0] += more;
  const moved = (/** @type {Map<string, number>} */ places) => new Map([...places].map(([tensor, x]) => [tensor, x + more]));
  picture.width += more;
  return { picture, anchor: anchor + more, entries: moved(entries), exits: moved(exits) };
}
