// The page as a whole: header, diagnostics, theme, tabs, splitters, keys, and the events of `archspec serve`.

/** What the browser keeps between visits; a page from a file may be kept from keeping anything. */
const memory = {
  /** @param {string} key @returns {string | null} */
  get(key) {
    try { return localStorage.getItem(`archspec.${key}`); } catch { return null; }
  },
  /** @param {string} key @param {string} value */
  set(key, value) {
    try { localStorage.setItem(`archspec.${key}`, value); } catch { /* then it is asked for again next time */ }
  },
};

/** Takes in a payload; zoom, fold state and selection stay where the new network still has their paths. @param {any} payload */
function take(payload) {
  const before = store.network;
  store.sources = payload.sources;
  store.problems = payload.problems;
  store.stale = payload.stale;
  if (payload.model) {
    const network = new Network(payload.model);
    store.network = network;
    store.madeOf = payload.madeOf ?? payload.sources;
    if (before) store.opened = new Set([...store.opened].filter((path) => network.items.get(path)?.isBlock || network.frames.has(path)));
    else store.opened = network.openedTo(firstDepth(network));
    store.selected = store.selected.filter((path) => network.items.has(path));
  }
  store.hovered = [];
  document.body.classList.toggle("stale", store.stale);
  document.body.classList.toggle("empty", !store.network);
  if (store.network) header(store.network);
  else byId("name").textContent = payload.sources[0]?.name ?? "archspec";
  problems();
  store.tell("network", !before);
}

/** The deepest unfolding that still can be taken in at a glance. @param {Network} network */
function firstDepth(network) {
  let depth = 1;
  while (depth <= network.deepest && network.seenAt(depth + 1) <= 28) depth += 1;
  return depth;
}

/** What the network takes, with names where there are several. @param {{name: string, shape: number[]}[]} inputs */
function inputWords(inputs) {
  if (inputs.length === 1) return `input ${dims(inputs[0].shape)}`;
  const more = inputs.length > 4 ? `, … (${whole(inputs.length)})` : "";
  return `inputs ${inputs.slice(0, inputs.length > 4 ? 3 : 4).map(({ name, shape }) => `${name} ${dims(shape)}`).join(", ")}${more}`;
}

/** @param {Network} network */
function header(network) {
  const { model } = network;
  const totals = model.totals;
  document.title = `${model.name} · archspec`;
  byId("name").textContent = model.title || model.name;
  const facts = [
    model.title && model.title !== model.name ? model.name : "", inputWords(model.inputs), `batch ${whole(model.batch)}`,
    `${model.mode} mode`, model.dtype, counted(network.layers.length, "layer"),
  ];
  byId("about").replaceChildren(facts.filter(Boolean).join(" · "));
  byId("about").title = model.paper;
  for (const place of document.querySelectorAll(".convention")) place.textContent = model.convention;
  byId("left-out").textContent = model.left_out ? `${counted(model.left_out, "link")} not drawn: too many pass other layers` : "";
  const rest = totals.params.frozen + totals.params.statistics;
  /** @type {[string, string, string][]} */
  const figures = [
    ["parameters", whole(totals.params.trainable + totals.params.frozen), rest ? `${whole(totals.params.trainable)} trainable, ${whole(totals.params.frozen)} frozen; ${whole(totals.params.statistics)} statistics beside them` : "all trainable"],
    ["MACs", si(totals.macs), `${whole(totals.macs)} multiply–adds of convolutions and dense layers`],
    ["FLOPs", si(totals.flops), `${whole(totals.flops)}: 2·MACs + element-wise operations`],
    ["weights", mebibytes(totals.memory.weights_bytes), "statistics included"],
    ["activations", mebibytes(totals.memory.activations_bytes), `all outputs together; the largest is ${mebibytes(totals.memory.largest_activation_bytes)}`],
  ];
  for (const use of ["inference", "training"]) {
    const { fixed_bytes, per_sample_bytes, batch_bytes, largest_batch } = totals.memory[use][model.dtype];
    const how = use === "training" ? ` with ${totals.memory.optimiser}` : "";
    const fits = largest_batch === undefined ? "" : `; the largest batch that fits is ${whole(largest_batch)}`;
    figures.push([use, mebibytes(batch_bytes), `memory for ${use}${how}: ${mebibytes(fixed_bytes)} and ${mebibytes(per_sample_bytes)} a sample${fits}`]);
  }
  byId("totals").replaceChildren(...figures.map(([name, value, tip]) => make("div", { title: tip }, make("dt", {}, name), make("dd", {}, value))));
  const depths = byId("depths");
  depths.replaceChildren();
  for (let depth = 1; depth <= Math.min(network.deepest + 1, 9) && network.deepest; depth += 1) {
    const last = depth === network.deepest + 1;
    depths.append(make("button", { type: "button", "data-depth": depth, title: last ? `everything (${depth})` : `unfolded to depth ${depth}`, onclick: () => store.open(network.openedTo(depth)) }, last && depth > 1 ? "all" : String(depth)));
  }
  depthPressed();
}

/** Shows which depth is the one that is seen. */
function depthPressed() {
  const network = store.network;
  for (const button of byId("depths").children) {
    const wanted = network?.openedTo(Number(button.dataset.depth)) ?? new Set();
    const same = wanted.size === store.opened.size && [...wanted].every((path) => store.opened.has(path));
    button.setAttribute("aria-pressed", String(same));
  }
}

/** The list of diagnostics: what is wrong, where, why, and what to do about it. */
function problems() {
  const box = byId("problems");
  box.hidden = !store.problems.length;
  box.classList.toggle("failed", store.stale);
  const errors = store.problems.filter((item) => item.severity === "error").length;
  const warnings = store.problems.length - errors;
  const counts = [errors && counted(errors, "error"), warnings && counted(warnings, "warning")].filter(Boolean).join(" and ");
  const note = store.stale && store.network ? ": figures and drawing are those of the last text that was right" : "";
  const list = make("ol", {}, ...store.problems.slice(0, 50).map((item) => {
    const place = item.primary;
    const where = place ? make("button", { type: "button", class: "place", onclick: () => goTo(place) }, `${store.sources[place.source].name}:${place.line}:${place.column}`) : null;
    return make("li", { class: item.severity },
      make("p", {}, make("b", { class: "code" }, item.code), " ", item.message, " ", where),
      place?.label ? make("p", { class: "why" }, place.label) : null,
      ...item.secondary.map((/** @type {any} */ other) => make("p", { class: "why" }, `${store.sources[other.source].name}:${other.line}: ${other.label}`)),
      ...item.notes.map((/** @type {string} */ text) => make("p", { class: "why" }, text)),
      ...item.help.map((/** @type {string} */ text) => make("p", { class: "help" }, `help: ${text}`)));
  }));
  const details = make("details", { open: store.stale }, make("summary", {}, make("b", {}, counts), note), list);
  if (store.problems.length > 50) details.append(make("p", {}, `${store.problems.length - 50} more are not shown`));
  box.replaceChildren(details);
}

/** Shows a diagnostic's place in the text. @param {any} place */
function goTo(place) {
  tab("source");
  if (source.file !== place.source) source.show(place.source);
  source.scrollTo(place.line);
}

/** @param {string} name */
function tab(name) {
  document.body.dataset.tab = name;
  for (const button of byId("tabs").children) button.setAttribute("aria-pressed", String(button.dataset.tab === name));
}

/** Whether the page is dark now. */
function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

/** @param {string} theme */
function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  memory.set("theme", theme);
}

/**
 * Lets a bar between panels be dragged, or moved with the arrow keys; what was chosen is kept.
 * @param {string} id @param {string} property the style's variable, in per cent @param {boolean} across
 */
function splitter(id, property, across) {
  const bar = byId(id), panels = byId("panels");
  const set = (/** @type {number} */ value) => {
    const share = Math.max(15, Math.min(85, value));
    panels.style.setProperty(property, `${share}%`);
    bar.setAttribute("aria-valuenow", String(Math.round(share)));
    memory.set(property, String(share));
    return share;
  };
  let share = Number(memory.get(property)) || (across ? 42 : 54);
  set(share);
  bar.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
    bar.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  bar.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
    if (!bar.hasPointerCapture(event.pointerId)) return;
    const box = panels.getBoundingClientRect();
    share = set(100 * (across ? (event.clientX - box.left) / box.width : (event.clientY - box.top) / box.height));
  });
  bar.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowLeft: -2, ArrowUp: -2, ArrowRight: 2, ArrowDown: 2 }[event.key];
    if (!step) return;
    share = set(share + step);
    event.preventDefault();
    event.stopPropagation();
  });
}

/** Keys that work wherever the focus is, unless something is being typed. @param {KeyboardEvent} event */
function key(event) {
  const typing = /** @type {Element} */ (event.target).closest("input, dialog");
  if (event.key === "Escape" && !byId("keys").open) {
    /** @type {any} */ (document.activeElement)?.matches?.("input") ? /** @type {any} */ (document.activeElement).blur() : store.select([]);
    return;
  }
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const network = store.network;
  if (event.key === "/") { tab("table"); byId("table-filter").focus(); }
  else if (event.key === "t") setTheme(isDark() ? "light" : "dark");
  else if (event.key === "?") byId("keys").showModal();
  else if (event.key === "f" || event.key === "0") drawing.fit();
  else if (event.key === "+" || event.key === "=") drawing.zoom(1.25);
  else if (event.key === "-") drawing.zoom(0.8);
  else if (/^[1-9]$/.test(event.key) && network) store.open(network.openedTo(Math.min(Number(event.key), network.deepest + 1)));
  else return;
  event.preventDefault();
}

/** Listens for newer payloads. @param {string} address @param {string} revision of the payload that the page came with */
function listen(address, revision) {
  const said = byId("live");
  said.hidden = false;
  const say = (/** @type {string} */ text, /** @type {string} */ style) => { said.textContent = text; said.className = style; };
  say("live", "on");
  const events = new EventSource(`${address}?since=${encodeURIComponent(revision)}`);
  events.addEventListener("open", () => say("live", "on"));
  events.addEventListener("error", () => say("connection lost", "off"));
  events.addEventListener("spec", (/** @type {MessageEvent} */ event) => take(JSON.parse(event.data)));
}

const drawing = new Drawing();
const table = new Table();
const source = new SourceView();
const charts = new Charts();
const card = new Card();

document.documentElement.dataset.theme = memory.get("theme") ?? "";
if (!document.documentElement.dataset.theme) delete document.documentElement.dataset.theme;
splitter("split-drawing", "--across", true);
splitter("split-table", "--down", false);
byId("theme").addEventListener("click", () => setTheme(isDark() ? "light" : "dark"));
byId("help").addEventListener("click", () => byId("keys").showModal());
for (const button of byId("tabs").children) button.addEventListener("click", () => tab(button.dataset.tab));
tab("drawing");
addEventListener("keydown", key);
store.on("open network", depthPressed);
store.on("select", () => {
  const item = store.marked().selected[0];
  byId("spoken").textContent = item ? `${item.path}, ${item.kind}, output ${dims(item.output)}, ${whole(item.params)} parameters, ${si(item.macs)} MACs` : "";
});
const payload = JSON.parse(byId("payload").textContent);
store.words = payload.families;
take(payload);
if (payload.live) listen(payload.live, payload.revision);
