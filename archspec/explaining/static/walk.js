// What one position of a layer's output is computed from, and what it sees of the input: sums over embedded arrays,
// without elements of the page. Numbers are added up in 64 bits.

/**
 * Numbers in the order of their axes, the last the fastest.
 * @typedef {{shape: number[], data: ArrayLike<number>}} Values
 */

/**
 * How a layer computes: `op` and, as it needs them, its window on each axis of the map and the names of its arrays.
 * @typedef {object} Form
 * @property {string} op
 * @property {number[]} [kernel] @property {number[]} [stride] @property {number[]} [before] @property {number[]} [dilation]
 * @property {number} [groups] @property {number[][]} [divisors] of a mean, for each position of each axis
 * @property {string} [weights] @property {string | null} [bias] @property {string | null} [scale]
 * @property {string} [mean] @property {string} [variance] @property {number} [epsilon]
 */

/**
 * The numbers that make one position of an output. `shape` is how `values` lie: taps of the window, then channels.
 * `inside` is 0 for what lies in the padding; `weights` are those that values are multiplied by.
 * @typedef {object} Terms
 * @property {string} op @property {number[]} shape @property {Float64Array} values @property {Float64Array} inside
 * @property {Float64Array | null} weights @property {number | null} bias @property {number} sum without the bias
 * @property {number} total what comes out @property {number} magnitude Σ|terms|, which rounding is measured against
 * @property {number} [first] the first input channel of the group @property {number} [winner] of a maximum
 * @property {number} [divisor] of a mean @property {Record<string, number>} [numbers] of a normalisation
 */

/** Strides of an array's axes. @param {number[]} shape */
function stepsOf(shape) {
  const steps = new Array(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis -= 1) steps[axis] = steps[axis + 1] * shape[axis + 1];
  return steps;
}

/** Every index of a grid of these sizes, the last axis the fastest. @param {number[]} sizes @returns {Generator<number[]>} */
function* gridOf(sizes) {
  const at = sizes.map(() => 0);
  if (sizes.some((size) => size < 1)) return;
  for (;;) {
    yield at;
    let axis = sizes.length - 1;
    while (axis >= 0 && ++at[axis] === sizes[axis]) at[axis--] = 0;
    if (axis < 0) return;
  }
}

/**
 * The terms of a channel of a layer's output at a position; null for a layer that is not taken apart.
 * @param {Form} form @param {number[]} at row and column, or place of a signal; nothing of a vector @param {number} channel
 * @param {Values[]} inputs what the layer takes @param {(name: string) => Values} array one of its arrays
 * @returns {Terms | null}
 */
function termsOf(form, at, channel, inputs, array) {
  if (form.op === "conv" || form.op === "transposed") return windowTerms(form, at, channel, inputs[0], array);
  if (form.op === "max" || form.op === "mean") return poolTerms(form, at, channel, inputs[0]);
  if (form.op === "unpool") return unpoolTerms(form, at, channel, inputs);
  if (form.op === "dense") return denseTerms(form, channel, inputs[0], array);
  if (form.op === "batch_norm") return normTerms(form, at, channel, inputs[0], array);
  if (form.op === "relu" || form.op === "add") return placeTerms(form, at, channel, inputs);
  return null;
}

/** @param {Terms} terms products of values and weights, summed up with the bias */
function summed(terms) {
  const { values, weights } = terms;
  for (let index = 0; index < values.length; index += 1) {
    const product = values[index] * (weights ? weights[index] : 1);
    terms.sum += product;
    terms.magnitude += Math.abs(product);
  }
  terms.total = terms.sum + (terms.bias ?? 0);
  terms.magnitude += Math.abs(terms.bias ?? 0);
  return terms;
}

/** @param {string} op @param {number[]} shape @param {boolean} weighted @returns {Terms} */
function blank(op, shape, weighted) {
  const size = shape.reduce((product, own) => product * own, 1);
  return { op, shape, values: new Float64Array(size), inside: new Float64Array(size), weights: weighted ? new Float64Array(size) : null, bias: null, sum: 0, total: 0, magnitude: 0 };
}

/** @param {Form} form @param {number[]} at @param {number} channel @param {Values} x @param {(name: string) => Values} array */
function windowTerms(form, at, channel, x, array) {
  const axes = at.length;
  const { stride = [], before = [], dilation = [], kernel = [], groups = 1 } = form;
  const weights = array(form.weights ?? "");
  const across = form.op === "transposed";
  const inner = x.shape[axes] / groups;
  const outer = weights.shape[axes + 1];
  const group = Math.floor(channel / (across ? outer : outer / groups));
  const [mine, first] = [stepsOf(weights.shape), group * inner];
  const steps = stepsOf(x.shape);
  const terms = blank(form.op, [...kernel, inner], true);
  const own = /** @type {Float64Array} */ (terms.weights);
  let index = 0;
  for (const tap of gridOf(kernel)) {
    let inside = true, place = 0, weight = 0;
    for (let axis = 0; axis < axes; axis += 1) {
      // A transposed convolution's position j takes i where j = i·S + D·t − P.
      let row = at[axis] * stride[axis] - before[axis] + tap[axis] * dilation[axis];
      if (across) row = (at[axis] + before[axis] - tap[axis] * dilation[axis]) / stride[axis];
      inside = inside && Number.isInteger(row) && row >= 0 && row < x.shape[axis];
      place += row * steps[axis];
      weight += tap[axis] * mine[axis];
    }
    for (let c = 0; c < inner; c += 1, index += 1) {
      // Of a transposed convolution the kernel has all input channels, of a plain one those of its group.
      own[index] = weights.data[weight + (across ? first + c : c) * mine[axes] + (across ? channel % outer : channel)];
      if (!inside) continue;
      terms.inside[index] = 1;
      terms.values[index] = x.data[place + first + c];
    }
  }
  terms.first = first;
  terms.bias = form.bias ? array(form.bias).data[channel] : null;
  return summed(terms);
}

/** @param {Form} form @param {number[]} at @param {number} channel @param {Values} x */
function poolTerms(form, at, channel, x) {
  const { stride = [], before = [], dilation = [], kernel = [] } = form;
  const steps = stepsOf(x.shape);
  const terms = blank(form.op, kernel, false);
  let index = 0, winner = -1;
  for (const tap of gridOf(kernel)) {
    let inside = true, place = channel;
    for (let axis = 0; axis < kernel.length; axis += 1) {
      const row = (at[axis] ?? 0) * stride[axis] - before[axis] + tap[axis] * dilation[axis];
      inside = inside && row >= 0 && row < x.shape[axis];
      place += row * steps[axis];
    }
    if (inside) {
      terms.inside[index] = 1;
      terms.values[index] = x.data[place];
      if (winner < 0 || terms.values[index] > terms.values[winner]) winner = index;
    }
    index += 1;
  }
  if (form.op === "mean") {
    summed(terms);
    terms.divisor = (form.divisors ?? []).reduce((product, counts, axis) => product * counts[at[axis] ?? 0], 1);
    terms.total = terms.sum / terms.divisor;
    terms.magnitude /= terms.divisor;
  } else {
    terms.winner = winner;
    terms.total = winner < 0 ? -Infinity : terms.values[winner];
    terms.magnitude = Math.abs(terms.total);
  }
  return terms;
}

/**
 * A value of each window of the pooling that lies over the position and found its maximum there.
 * @param {Form} form the pooling's windows @param {number[]} at @param {number} channel
 * @param {Values[]} inputs what is put back, and what the pooling took
 */
function unpoolTerms(form, at, channel, inputs) {
  const [x, pooled] = inputs;
  const { stride = [], before = [], dilation = [], kernel = [] } = form;
  const terms = blank(form.op, kernel, false);
  const steps = stepsOf(x.shape);
  let index = 0;
  for (const tap of gridOf(kernel)) {
    const window = at.map((own, axis) => (own + before[axis] - tap[axis] * dilation[axis]) / stride[axis]);
    if (window.every((own, axis) => Number.isInteger(own) && own >= 0 && own < x.shape[axis])) {
      const own = poolTerms({ ...form, op: "max" }, window, channel, pooled);
      if (own.winner === index) {
        terms.inside[index] = 1;
        terms.values[index] = x.data[window.reduce((sum, place, axis) => sum + place * steps[axis], channel)];
      }
    }
    index += 1;
  }
  return summed(terms);
}

/** @param {Form} form @param {number} channel @param {Values} x @param {(name: string) => Values} array */
function denseTerms(form, channel, x, array) {
  const weights = array(form.weights ?? "");
  const terms = blank("dense", [x.data.length], true);
  const own = /** @type {Float64Array} */ (terms.weights);
  for (let index = 0; index < own.length; index += 1) {
    terms.values[index] = x.data[index];
    terms.inside[index] = 1;
    own[index] = weights.data[index * weights.shape[1] + channel];
  }
  terms.bias = form.bias ? array(form.bias).data[channel] : null;
  return summed(terms);
}

/** scale·(x − μ)/√(σ² + ε) + bias. @param {Form} form @param {number[]} at @param {number} channel @param {Values} x @param {(name: string) => Values} array */
function normTerms(form, at, channel, x, array) {
  const terms = blank("batch_norm", [1], false);
  const named = (/** @type {string | null | undefined} */ name, /** @type {number} */ none) => (name ? array(name).data[channel] : none);
  const numbers = { mean: named(form.mean, 0), variance: named(form.variance, 1), epsilon: form.epsilon ?? 0, scale: named(form.scale, 1), bias: named(form.bias, 0) };
  terms.values[0] = valueAt(x, at, channel);
  terms.inside[0] = 1;
  const factor = numbers.scale / Math.sqrt(numbers.variance + numbers.epsilon);
  terms.sum = (terms.values[0] - numbers.mean) * factor;
  terms.bias = numbers.bias;
  terms.total = terms.sum + numbers.bias;
  terms.magnitude = Math.abs(terms.values[0] * factor) + Math.abs(numbers.mean * factor) + Math.abs(numbers.bias);
  terms.numbers = numbers;
  return terms;
}

/** What is computed of the inputs' values at the same place. @param {Form} form @param {number[]} at @param {number} channel @param {Values[]} inputs */
function placeTerms(form, at, channel, inputs) {
  const terms = blank(form.op, [inputs.length], false);
  inputs.forEach((x, index) => {
    terms.values[index] = valueAt(x, at, channel);
    terms.inside[index] = 1;
  });
  summed(terms);
  if (form.op === "relu") terms.total = Math.max(0, terms.sum);
  return terms;
}

/** @param {Values} x @param {number[]} at @param {number} channel */
function valueAt(x, at, channel) {
  const steps = stepsOf(x.shape);
  return x.data[at.reduce((sum, own, axis) => sum + own * steps[axis], channel)];
}

/**
 * A layer as it is followed backwards: the numbers of what it takes (below 0: inputs of the network), what each is taken
 * for, the sizes of these, and the window that its positions see; null where they see the whole map.
 * @typedef {{inputs: number[], ports: string[], takes: number[][], window: {kernel: number[], stride: number[], pad: number[]} | null}} Step
 */

/**
 * The part of each image or signal that a position of a layer's output depends on, per axis first and end, cut off at its
 * borders: `seen_by` of archspec/figures/receptive_field.py, to which a test holds it. Not exact behind layers that
 * enlarge their input.
 * @param {Step[]} steps @param {number} index @param {number[]} position
 * @returns {Map<number, {first: number[], end: number[], exact: boolean}>} by the input's number
 */
function seenBy(steps, index, position) {
  /** @type {Map<number, {span: number[][], exact: boolean}>} */
  const spans = new Map([[index, { span: position.map((at) => [at, at]), exact: true }]]);
  for (let number = index; number >= 0; number -= 1) {
    const own = spans.get(number);
    if (!own) continue;
    const { inputs, ports, takes, window } = steps[number];
    inputs.forEach((source, place) => {
      const sizes = takes[place].slice(0, -1);
      if (ports[place] === "shape" || (!sizes.length && source < 0)) return;
      let { span, exact } = own;
      if (!window || span.length !== sizes.length) span = sizes.map((size) => [0, size - 1]);
      else {
        span = span.map(([first, last], axis) => {
          const [kernel, stride, pad] = [window.kernel[axis], window.stride[axis], window.pad[axis]];
          exact = exact && stride >= 1;
          const low = Math.floor(first * stride - pad + 1e-6), high = Math.ceil(last * stride - pad + kernel - 1 - 1e-6);
          return [Math.min(Math.max(low, 0), sizes[axis] - 1), Math.max(Math.min(high, sizes[axis] - 1), 0)];
        });
      }
      const known = spans.get(source);
      if (known) {
        span = span.map(([first, last], axis) => [Math.min(first, known.span[axis][0]), Math.max(last, known.span[axis][1])]);
        exact = exact && known.exact;
      }
      spans.set(source, { span, exact });
    });
  }
  const found = new Map();
  for (const [source, { span, exact }] of spans) if (source < 0) found.set(source, { first: span.map(([first]) => first), end: span.map(([, last]) => last + 1), exact });
  return found;
}
