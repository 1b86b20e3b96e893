// The page of `electra watch`: asks every other second what the run has written since, and draws it.
"use strict";

const PAUSE = 2000; // milliseconds between two looks
const SILENT = 180; // seconds without a record after which a run does not count as live
const MOST_POINTS = 400; // of a curve; of more, the means of neighbours are drawn
const WIDTH = Math.min(460, innerWidth - 66), HEIGHT = 210, LEFT = 46, BOTTOM = 22, TOP = 8, RIGHT = 8;
const byId = (id) => document.getElementById(id);
const state = { facts: null, records: [], mark: "", end: 0, age: 0, text: "" };
const EXPLAINED = {
  true: "Some words are the generator's. Above them stands the word they replaced, and the discriminator's probability that there is something wrong.",
  false: "Some words were hidden. The network's guesses stand in the text; above wrong ones the right word, with the probability it was given.",
};

function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function draw(tag, properties = {}, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(properties)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
}

/** Numbers as people read them: 12,345; 0.1234; 2.1e-6. */
function brief(value) {
  if (!Number.isFinite(value)) return "none";
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en");
  if (size >= 100) return value.toFixed(0);
  return size >= 0.001 || size === 0 ? String(Number(value.toPrecision(3))) : String(Number(value.toPrecision(2)).toExponential());
}

const isShare = (metric) => /accuracy|share/.test(metric);
const shown = (metric, value) => (isShare(metric) ? `${(value * 100).toFixed(1)}%` : brief(value));

function clock(seconds) {
  const whole = Math.round(seconds), hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours} h ${minutes} min` : minutes ? `${minutes} min ${whole % 60} s` : `${whole} s`;
}

// ------------------------------------------------------------------------------------------------------------------ reading

async function get(path) {
  let response, value;
  try {
    response = await fetch(path);
    value = await response.json();
  } catch {
    throw new Error("electra watch does not answer any more; what is drawn is what was read until then.");
  }
  if (!response.ok) throw new Error(value.error.message);
  return value;
}

/** Read what is new; true where something was. */
async function read() {
  let hasNews = false, answer;
  do {
    answer = await get(`v1/records?begin=${state.end}&mark=${state.mark}`);
    if (answer.begin !== state.end || answer.mark !== state.mark) state.records = []; // the file is another one
    hasNews ||= answer.records.length > 0 || answer.mark !== state.mark;
    state.records.push(...answer.records);
    [state.mark, state.end, state.age] = [answer.mark, answer.end, answer.age];
  } while (!answer.is_all);
  return hasNews;
}

async function look() {
  try {
    state.facts ??= await get("v1/run");
    const hasNews = await read();
    if (hasNews) show();
    await showText();
    byId("status").classList.toggle("news", hasNews);
    byId("error").hidden = true;
  } catch (error) {
    byId("error").textContent = error.message;
    byId("error").hidden = false;
    byId("status").className = "";
  }
  showStatus();
  setTimeout(look, PAUSE);
}

const newest = (kind) => state.records.findLast((record) => record.kind === kind);

// ------------------------------------------------------------------------------------------------------------------ showing

function showStatus() {
  const last = newest("train"), steps = state.facts?.steps;
  if (!last) {
    byId("status").textContent = state.facts ? "no metrics yet; the first line comes after log_every steps" : "";
    return;
  }
  const isDone = last.step >= steps, isLive = !isDone && state.age < SILENT;
  byId("status").classList.toggle("live", isLive);
  byId("status").textContent = isDone ? "finished" : isLive ? "training" : `nothing new for ${clock(state.age)}`;
  document.title = `${Math.floor((100 * last.step) / steps)}% ${state.facts.name}`;
}

function show() {
  const { facts } = state, last = newest("train"), evaluation = newest("evaluation");
  byId("name").textContent = facts.name;
  byId("progress").max = facts.steps;
  if (last) {
    byId("progress").value = last.step;
    const left = last.seconds_left > 0 ? `, ${clock(last.seconds_left)} left` : "";
    byId("about").textContent = `${brief(last.step)} of ${brief(facts.steps)} steps, ${brief(last.tokens)} tokens in ${clock(last.seconds)}${left}; ` +
      `size ${facts.settings.size}, objective ${facts.settings.objective}, on ${facts.machine.device ?? "?"} (${facts.machine.precision ?? "?"})`;
    byId("train").replaceChildren(...boxes(last, facts.train));
  }
  if (evaluation) {
    byId("held").hidden = false;
    byId("held").textContent = `Held-out text, after step ${brief(evaluation.step)}`;
    byId("evaluation").replaceChildren(...boxes(evaluation, facts.evaluation));
  }
  byId("charts").replaceChildren(...facts.charts.map(chart).filter(Boolean));
  if (!byId("settings").firstChild) showSettings();
}

// ------------------------------------------------------------------------------------------------------------------ held-out text

/** The rows of the evaluation that is chosen: the newest, until somebody chooses another. */
async function showText() {
  const steps = [...new Set(state.records.filter((record) => record.kind === "evaluation").map((record) => record.step))];
  const chooser = byId("evaluations"), followsNewest = chooser.value === chooser.max;
  chooser.max = Math.max(0, steps.length - 1);
  if (followsNewest) chooser.value = chooser.max;
  const step = steps[chooser.value], shown = `${state.mark} ${step}`;
  if (state.text === shown) return;
  const { rows } = step === undefined ? { rows: [] } : await get(`v1/held_out?step=${step}`);
  if (steps[chooser.value] !== step) return; // another one was chosen meanwhile
  byId("text").hidden = rows.length === 0;
  byId("text").querySelector("label").hidden = steps.length < 2;
  state.text = shown;
  if (!rows.length) return;
  chooser.setAttribute("aria-valuetext", `after step ${brief(step)}`);
  const hasScores = rows[0].has_scores, found = new Set(rows.flatMap((row) => row.pieces.map((piece) => piece.verdict)));
  byId("caption").textContent = `${hasScores ? "What it catches" : "What it guesses"}, after step ${brief(step)}`;
  byId("explained").textContent = EXPLAINED[hasScores];
  byId("legend").replaceChildren(...Object.entries(state.facts.verdicts).filter(([verdict]) => found.has(verdict))
    .map(([verdict, meaning]) => make("li", {}, make("span", { class: classOf(verdict, hasScores) }, meaning))));
  byId("rows").replaceChildren(...rows.map((row) => make("div", {}, make("h3", {}, row.told),
    make("p", { class: "judged" }, ...row.pieces.flatMap((one, place) => [one.is_glued || !place ? "" : " ", piece(one, hasScores)])))));
}

/** Without a discriminator a right guess is the aim; beside one it leaves nothing to catch. */
const classOf = (verdict, hasScores) => (verdict === "restored" && !hasScores ? "restored right" : verdict);

/** A piece of text, with what stood there and the probability above it where there is something to say. */
function piece(one, hasScores) {
  if (one.verdict === "") return one.text;
  if (one.verdict === "special") return make("span", { class: "special" }, one.text);
  const meaning = state.facts.verdicts[one.verdict], percent = one.percent === null ? "" : `${one.percent}%`;
  const marks = { class: classOf(one.verdict, hasScores), title: one.verdict === "restored" ? `${meaning}, ${percent}` : meaning };
  if (one.verdict === "restored") return make("span", marks, one.text);
  return make("ruby", marks, one.text, make("rt", {}, [one.original, percent].filter(Boolean).join(" ")));
}

// ------------------------------------------------------------------------------------------------------------------ numbers and charts

const boxes = (record, labels) => Object.entries(labels).filter(([metric]) => record[metric] !== undefined && record[metric] !== null)
  .map(([metric, label]) => make("div", {}, make("dt", {}, label), make("dd", {}, shown(metric, record[metric]))));

function showSettings() {
  const rows = Object.entries({ ...state.facts.settings, ...state.facts.machine })
    .map(([name, value]) => make("tr", {}, make("td", {}, name), make("td", {}, JSON.stringify(value))));
  byId("settings").append(make("details", {}, make("summary", {}, "Settings"), make("table", {}, ...rows)));
}

/** Points (step, value) of a metric; of too many, the means of equally many neighbours. */
function points({ kind, metric }) {
  const all = state.records.filter((record) => record.kind === kind && Number.isFinite(record[metric])).map((record) => [record.step, record[metric]]);
  const size = Math.ceil(all.length / MOST_POINTS), means = [];
  for (let begin = 0; begin < all.length; begin += size) {
    const part = all.slice(begin, begin + size), mean = (place) => part.reduce((sum, point) => sum + point[place], 0) / part.length;
    means.push([mean(0), mean(1)]);
  }
  return means;
}

/** Round values between two: at most six. */
function ticks(low, high) {
  const rough = (high - low) / 5, power = 10 ** Math.floor(Math.log10(rough)), step = [1, 2, 5, 10].find((n) => n * power >= rough) * power;
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-9; value += step) found.push(Number(value.toPrecision(12)));
  return found;
}

/** One figure, or null where the run has none of its metrics. */
function chart({ title, text, unit, lines }) {
  const series = lines.map((line, number) => ({ ...line, number, points: points(line) })).filter((line) => line.points.length);
  if (!series.length) return null;
  const steps = series.flatMap((line) => line.points.map((point) => point[0])), values = series.flatMap((line) => line.points.map((point) => point[1]));
  const last = Math.max(...steps), sorted = [...values].sort((a, b) => a - b);
  // The first steps of a loss are far above all others: a fiftieth of the values may leave the chart at its top.
  let [low, high] = [sorted[0], values.length > 100 ? sorted[Math.floor(sorted.length * 0.98)] : sorted.at(-1)];
  if (low === high) [low, high] = [low - Math.abs(low) / 2 - 1e-9, high + Math.abs(high) / 2 + 1e-9];
  const x = (step) => LEFT + ((WIDTH - LEFT - RIGHT) * step) / (last || 1);
  const y = (value) => Math.max(0, HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - TOP) * (value - low)) / (high - low));
  const newestValues = series.map((line) => `${line.label} ${shown(line.metric, line.points.at(-1)[1])}`).join(", ");
  const svg = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}, newest: ${newestValues}` });
  for (const value of ticks(low, high)) {
    svg.append(draw("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) }), draw("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, brief(value)));
  }
  for (const step of last ? ticks(0, last) : []) svg.append(draw("text", { x: x(step), y: HEIGHT - 6, "text-anchor": step ? "middle" : "start" }, brief(step)));
  for (const line of series) {
    const path = line.points.map(([step, value]) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`);
    const drawn = draw("polyline", { points: (path.length > 1 ? path : [path[0], path[0]]).join(" "), "data-metric": line.metric, "stroke-linecap": "round" });
    drawn.style.stroke = `var(--line-${line.number})`;
    svg.append(drawn);
  }
  const legend = make("ul", { class: "legend" });
  const tell = (step) => legend.replaceChildren(...series.map((line) => {
    const near = step === null ? line.points.at(-1) : line.points.reduce((best, point) => (Math.abs(point[0] - step) < Math.abs(best[0] - step) ? point : best));
    const swatch = make("i");
    swatch.style.background = `var(--line-${line.number})`;
    return make("li", {}, swatch, `${line.label} `, make("b", {}, shown(line.metric, near[1])), step === null ? "" : ` at ${brief(near[0])}`);
  }));
  tell(null);
  const cross = draw("line", { class: "cross", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" });
  svg.append(cross);
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect(), at = ((event.clientX - box.left) / box.width) * WIDTH;
    const step = Math.max(0, Math.min(last, ((at - LEFT) / (WIDTH - LEFT - RIGHT)) * last));
    for (const [name, value] of Object.entries({ x1: x(step), x2: x(step), visibility: "visible" })) cross.setAttribute(name, value);
    tell(step);
  });
  svg.addEventListener("pointerleave", () => { cross.setAttribute("visibility", "hidden"); tell(null); });
  return make("figure", {}, make("figcaption", {}, make("h2", {}, unit ? `${title}, ${unit.replace("loss, ", "")}` : title), make("p", {}, text)), svg, legend);
}

byId("evaluations").addEventListener("input", () => showText().catch(() => {})); // the next look tells what is wrong
look();
