"use strict";
// Numbers, shapes and elements: what every panel writes with.

const SVG = "http://www.w3.org/2000/svg";

/** A whole number with thousands apart: 25,557,032. @param {number} value */
function whole(value) {
  return value.toLocaleString("en-US");
}

// The three that follow are `significant`, `si` and `mebibytes` of archspec/figures/units.py; the tests hold them to the same texts.

/** Significant digits without trailing zeros; half-way, the even one. @param {number} value @param {number} [digits] */
function short(value, digits = 4) {
  // All digits of the number, of which none is lost: 6.125 is half-way, 0.145 is not, since it is a little less.
  const [mantissa, power] = Math.abs(value).toExponential(60).split("e");
  const kept = mantissa.replace(".", "").slice(0, digits), rest = mantissa.replace(".", "").slice(digits);
  const down = /^50*$/.test(rest) && Number(kept[digits - 1]) % 2 === 0;
  const rounded = down ? Number(`${kept[0]}.${kept.slice(1)}e${power}`) : Number(Math.abs(value).toPrecision(digits));
  return String(Math.sign(value) * rounded);
}

/** Operations with an SI prefix: 416.5 k, 4.089 G. @param {number} value */
function si(value) {
  let text = "";
  for (const [power, prefix] of ["", " k", " M", " G", " T", " P", " E"].entries()) {
    const number = short(value / 1000 ** power);
    text = number + prefix;
    if (Math.abs(Number(number)) < 1000) break;
  }
  return text;
}

/** Bytes in MiB; less than a tenth of one in KiB or bytes, whole gibibytes in GiB. @param {number} value */
function mebibytes(value) {
  if (value >= 2 ** 30 && value % 2 ** 30 === 0) return `${whole(value / 2 ** 30)} GiB`;
  if (value >= 999.5 * 2 ** 20) return `${whole(Number(short(value / 2 ** 20, String(Math.floor(value / 2 ** 20)).length)))} MiB`;
  if (value >= 2 ** 20 / 10) return `${short(value / 2 ** 20, 3)} MiB`;
  return value >= 1000 ? `${short(value / 2 ** 10, 3)} KiB` : `${value} B`;
}

/** 112×112×64. @param {number[]} shape */
function dims(shape) {
  return shape.join("×");
}

/** A part of a whole: 12.3 %. @param {number} part @param {number} all */
function percent(part, all) {
  if (!all || !part) return "0 %";
  const value = (100 * part) / all;
  return value < 0.1 ? "< 0.1 %" : `${short(value, value < 1 ? 1 : 3)} %`;
}

/** `1 layer`, `2 layers`. @param {number} number @param {string} word */
function counted(number, word) {
  return `${whole(number)} ${word}${number === 1 ? "" : "s"}`;
}

/** A field's value as short as it can be read: `[3, 3]` as 3×3, `[[1, 1], [1, 1]]` and a signal's `[[1, 1]]` as 1. @param {string} text */
function fieldText(text) {
  const pair = /^\[(-?[\d.]+), (-?[\d.]+)\]$/.exec(text);
  if (pair) return `${pair[1]}×${pair[2]}`;
  const sides = /^\[\[(\d+), (\d+)\], \[(\d+), (\d+)\]\]$/.exec(text);
  const ends = /^\[\[(\d+), (\d+)\]\]$/.exec(text);
  if (ends) return ends[1] === ends[2] ? ends[1] : `before ${ends[1]}, after ${ends[2]}`;
  if (!sides) return text;
  const [, above, below, left, right] = sides;
  if (above === below && left === right) return above === left ? above : `${above}×${left}`;
  return `top ${above}, bottom ${below}, left ${left}, right ${right}`;
}

/**
 * Ticks of an axis from 0, at 1, 2 or 5 times a power of ten.
 * @param {number} top the largest value @param {number} wanted about how many
 */
function ticks(top, wanted) {
  if (!(top > 0)) return [0];
  const rough = top / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough) ?? 10 * power;
  const marks = [];
  for (let index = 0; index * step <= top * 1.0001; index += 1) marks.push(index * step);
  return marks;
}

/**
 * Ticks of an axis of bytes with their words, all in the largest unit that there is one of.
 * @param {number} top the largest value @param {number} wanted about how many @returns {[number, string][]}
 */
function byteTicks(top, wanted) {
  const power = [3, 2, 1].find((each) => top >= 1024 ** each) ?? 0;
  const name = ["B", "KiB", "MiB", "GiB"][power];
  return ticks(top / 1024 ** power, wanted).map((tick) => [tick * 1024 ** power, tick ? `${short(tick)} ${name}` : "0"]);
}

/**
 * An element with attributes and children; text is set as text and never read as markup.
 * @param {string} name @param {Record<string, any>} [attributes] @param {...(Node | string | null)} children
 * @returns {any}
 */
function make(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** The same for SVG. @param {string} name @param {Record<string, any>} [attributes] @param {...(Node | string | null)} children */
function draw(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

/** @param {Element} element @param {Record<string, any>} attributes @param {(Node | string | null)[]} children */
function filled(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "onclick") element.addEventListener("click", value);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  for (const child of children) if (child !== null) element.append(child);
  return element;
}

/** The element with this id. @param {string} id @returns {any} */
function byId(id) {
  return document.getElementById(id);
}

/** Runs once per frame, however often it is asked for. @param {() => void} action */
function onceAFrame(action) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      action();
    });
  };
}

/** The lines of a text, broken where Python breaks them, so that numbers agree. @param {string} text */
function linesOf(text) {
  const lines = text.split(/\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/);
  if (lines.length && lines[lines.length - 1] === "") lines.pop();
  return lines;
}

/**
 * Adds a value to the list that a map has for a key.
 * @template K, V @param {Map<K, V[]>} map @param {K} key @param {V} value
 */
function gather(map, key, value) {
  const values = map.get(key);
  if (values) values.push(value);
  else map.set(key, [value]);
}
