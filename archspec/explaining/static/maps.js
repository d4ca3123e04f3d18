// Embedded pictures and numbers, and how maps of numbers are drawn on a canvas.

/** @typedef {{png: string, columns: number, height: number, width: number, channels: number, low: string, high: string}} Sheet */
/** @typedef {{data: Float32Array, height: number, width: number, channels: number, exact: boolean, low: Float32Array, high: Float32Array}} Maps */

/** @param {string} text base64 @returns {Uint8Array<ArrayBuffer>} */
function bytesOf(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let index = 0; index < binary.length; index += 1) bytes[index] = binary.charCodeAt(index);
  return bytes;
}

/** Numbers of 32 bits. @param {string} text base64 */
function plainFloats(text) {
  return new Float32Array(bytesOf(text).buffer);
}

/** The same, deflated. @param {string} text */
async function packedFloats(text) {
  const stream = new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Float32Array(await new Response(stream).arrayBuffer());
}

/** A picture of this page. @param {string} address @returns {Promise<HTMLImageElement>} */
function pictureOf(address) {
  return new Promise((done, failed) => {
    const image = new Image();
    image.addEventListener("load", () => done(image));
    image.addEventListener("error", () => failed(new Error("a picture inside the page cannot be read")));
    image.src = address;
  });
}

/** The bytes of a grey picture, row by row. @param {string} address */
async function greyOf(address) {
  const image = await pictureOf(address);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  const grey = new Uint8Array(canvas.width * canvas.height);
  for (let index = 0; index < grey.length; index += 1) grey[index] = data[4 * index];
  return grey;
}

/** Channels one after the other, each row by row, of numbers whose last axis is the channel. @param {ArrayLike<number>} values @param {number[]} shape @returns {Maps} */
function mapsOfNumbers(values, shape) {
  const channels = shape[shape.length - 1], spatial = shape.slice(0, -1);
  const [height, width] = [...new Array(2 - spatial.length).fill(1), ...spatial];
  const data = new Float32Array(values.length);
  const low = new Float32Array(channels).fill(Infinity), high = new Float32Array(channels).fill(-Infinity);
  const area = height * width;
  for (let place = 0; place < area; place += 1) {
    for (let channel = 0; channel < channels; channel += 1) {
      const value = values[place * channels + channel];
      data[channel * area + place] = value;
      if (value < low[channel]) low[channel] = value;
      if (value > high[channel]) high[channel] = value;
    }
  }
  return { data, height, width, channels, exact: true, low, high };
}

/** The same of a sheet, to 1/255 of each channel's range. @param {Sheet} sheet @returns {Promise<Maps>} */
async function mapsOfSheet(sheet) {
  const grey = await greyOf(sheet.png);
  const { columns, height, width, channels } = sheet;
  const low = plainFloats(sheet.low), high = plainFloats(sheet.high);
  const data = new Float32Array(channels * height * width);
  const across = columns * width;
  for (let channel = 0; channel < channels; channel += 1) {
    const top = Math.floor(channel / columns) * height, left = (channel % columns) * width;
    const step = (high[channel] - low[channel]) / 255;
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1) data[(channel * height + y) * width + x] = low[channel] + step * grey[(top + y) * across + left + x];
    }
  }
  return { data, height, width, channels, exact: false, low, high };
}

/** What a rectifier or a batch normalisation makes of maps. @param {Maps} before @param {Form} form @param {(name: string) => Values} array @returns {Maps} */
function mapsAfter(before, form, array) {
  const area = before.height * before.width;
  const data = new Float32Array(before.data.length);
  const low = new Float32Array(before.channels), high = new Float32Array(before.channels);
  for (let channel = 0; channel < before.channels; channel += 1) {
    const named = (/** @type {string | null | undefined} */ name, /** @type {number} */ none) => (name ? array(name).data[channel] : none);
    const factor = form.op === "relu" ? 1 : named(form.scale, 1) / Math.sqrt(named(form.variance, 1) + (form.epsilon ?? 0));
    const shift = form.op === "relu" ? 0 : named(form.bias, 0) - factor * named(form.mean, 0);
    const of = (/** @type {number} */ value) => (form.op === "relu" ? Math.max(0, value) : factor * value + shift);
    for (let place = channel * area; place < (channel + 1) * area; place += 1) data[place] = of(before.data[place]);
    const ends = [of(before.low[channel]), of(before.high[channel])];
    [low[channel], high[channel]] = [Math.min(...ends), Math.max(...ends)];
  }
  return { ...before, data, low, high, exact: false };
}

const HEAT = [[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]];
const COLD = [[247, 247, 247], [146, 197, 222], [33, 102, 172]], WARM = [[247, 247, 247], [244, 165, 130], [178, 24, 43]];

/** A colour between stops. @param {number[][]} stops @param {number} share 0 to 1 */
function between(stops, share) {
  const at = Math.max(0, Math.min(1, share)) * (stops.length - 1);
  const first = Math.min(Math.floor(at), stops.length - 2), part = at - first;
  return stops[first].map((value, index) => value + part * (stops[first + 1][index] - value));
}

/** Colours of 256 steps, from the least to the largest; of signed numbers from −1 to 1. @type {Record<string, Uint8ClampedArray>} */
const RAMPS = {};
for (const [name, colour] of /** @type {[string, (share: number) => number[]][]} */ ([
  ["heat", (share) => between(HEAT, share)],
  ["grey", (share) => [255 * share, 255 * share, 255 * share]],
  ["signed", (share) => (share < 0.5 ? between(COLD, 1 - 2 * share) : between(WARM, 2 * share - 1))],
])) {
  RAMPS[name] = new Uint8ClampedArray(768);
  for (let step = 0; step < 256; step += 1) RAMPS[name].set(colour(step / 255), 3 * step);
}

/** The steps of numbers on a ramp; `low` and `high` are its ends. @param {ArrayLike<number>} values @param {number} low @param {number} high */
function stepsOn(values, low, high) {
  const scale = high > low ? 255 / (high - low) : 0;
  const steps = new Uint8Array(values.length);
  for (let index = 0; index < values.length; index += 1) steps[index] = Math.max(0, Math.min(255, Math.round((values[index] - low) * scale)));
  return steps;
}

/** A canvas with a pixel for each step. @param {ArrayLike<number>} steps @param {number} width @param {string} ramp */
function painted(steps, width, ramp) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, steps.length / width];
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const image = context.createImageData(canvas.width, canvas.height);
  const colours = RAMPS[ramp];
  for (let index = 0; index < steps.length; index += 1) {
    const from = 3 * steps[index];
    image.data[4 * index] = colours[from];
    image.data[4 * index + 1] = colours[from + 1];
    image.data[4 * index + 2] = colours[from + 2];
    image.data[4 * index + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/** How a channel, or all, is drawn: grey from the least, or blue and red about 0. @param {number} low @param {number} high @returns {{low: number, high: number, ramp: string}} */
function scaleOf(low, high) {
  if (low >= 0) return { low, high, ramp: "grey" };
  const most = Math.max(-low, high);
  return { low: -most, high: most, ramp: "signed" };
}

/** One channel as a canvas of a pixel a position. @param {Maps} maps @param {number} channel @param {{low: number, high: number, ramp: string}} scale */
function channelPicture(maps, channel, scale) {
  const area = maps.height * maps.width;
  return painted(stepsOn(maps.data.subarray(channel * area, (channel + 1) * area), scale.low, scale.high), maps.width, scale.ramp);
}

/** A canvas set to a size on the page, sharp on dense screens. @param {HTMLCanvasElement} canvas @param {number} width @param {number} height */
function sized(canvas, width, height) {
  const dense = Math.min(window.devicePixelRatio || 1, 2);
  [canvas.width, canvas.height] = [Math.round(width * dense), Math.round(height * dense)];
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.scale(dense, dense);
  context.imageSmoothingEnabled = false;
  return context;
}

/** A number for reading: four digits, a real minus. @param {number} value */
function said(value) {
  if (!Number.isFinite(value)) return value < 0 ? "−∞" : value > 0 ? "∞" : "NaN";
  const size = Math.abs(value);
  const text = value === 0 ? "0" : size >= 1e5 || size < 1e-3 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
  return text.replaceAll("-", "−");
}
