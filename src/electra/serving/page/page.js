// The page of `electra serve`: a tab for each thing the served models can do, answers as one types, all of it by keyboard.
//
//     fields -> inputs -> POST v1/models/NAME/predict -> a view of the answer
//
// Unusual here: places in answers count characters as Python does, so texts are cut as arrays of code points.
"use strict";

const PAUSE = 500; // milliseconds without a key after which the models are asked
const MOST_BARS = 12;
const PROPOSALS = 8;
const byId = (id) => document.getElementById(id);
const state = { models: [], tab: "", values: {}, key: sessionStorage.getItem("key") || "", asked: null, timer: 0, undo: null };

// ------------------------------------------------------------------------------------------------------------ what is asked

const RIVER = "The river flows through the city and into the because.";
const EIFFEL = "The Eiffel Tower was built by the company of Gustave Eiffel between 1887 and 1889. It stands in Paris, " +
  "is 330 metres high, and was the highest tower in the world until 1930.";

// tab -> title, kinds of models, what it does, fields (name, label, kind of field), examples, view of an answer
const TABS = {
  detection: {
    title: "Wrong words", kinds: ["detection"], show: showDetection,
    about: "Each word is shaded by how probable it is that it does not belong. Choose a word to see what may have stood there.",
    fields: [["text", "Text", "long"]],
    examples: [{ text: RIVER }, { text: "The chef cooked the meal in the garage." },
      { text: "The king ruled the country for twenty of. He was born in 1752 and married the daughter of a merchant." }],
  },
  filling: {
    title: "Fill in", kinds: ["filling"], show: showFilling,
    about: "Write [MASK] where a word is missing; the generator says what may stand there.",
    fields: [["text", "Text with [MASK]", "long"]],
    examples: [{ text: "The river flows into the [MASK]." }, { text: "She opened the [MASK] and walked into the [MASK]." }],
  },
  labels: {
    title: "Labels", kinds: ["classification", "multi-label", "regression"], show: showLabels,
    about: "What the model was tuned to say of a text, or of two.",
    fields: [["text", "Text", "long"], ["pair", "Second text, for models of pairs (may stay empty)", "optional"]],
    examples: [{ text: "A quiet, careful film with a wonderful cast." }, { text: "The order arrived broken and nobody answers." },
      { text: "A man plays the guitar.", pair: "Someone is making music." }],
  },
  tagging: {
    title: "Entities", kinds: ["tagging"], show: showTags,
    about: "Each word gets a tag; names and other spans are marked in the text.",
    fields: [["text", "Text", "long"]],
    examples: [{ text: "Marie Curie was born in Warsaw and worked at the University of Paris." }, { text: "Acme Ltd opened an office in Lisbon in May." }],
  },
  answering: {
    title: "Questions", kinds: ["answering"], show: showAnswer,
    about: "The answer is marked in the text it was found in.",
    fields: [["question", "Question", "line"], ["context", "Text", "long"]],
    examples: [{ question: "Where does the tower stand?", context: EIFFEL }, { question: "How high is the tower?", context: EIFFEL }],
  },
  choice: {
    title: "Choices", kinds: ["choice"], show: showChoice,
    about: "Which continuation fits best?",
    fields: [["prompt", "Beginning", "long"], ["choices", "Choice", "several"]],
    examples: [{ prompt: "The glass fell off the table.", choices: ["It broke.", "It sang."] },
      { prompt: "She was tired, so", choices: ["she went to bed.", "she painted the moon."] }],
  },
};

const tabOf = (model) => Object.keys(TABS).find((name) => TABS[name].kinds.includes(model.kind));
const modelsOf = (tab) => state.models.filter((model) => tabOf(model) === tab);
const current = () => state.models.find((model) => model.name === byId("model").value);

// -------------------------------------------------------------------------------------------------------------- small tools

/** An element: make("p.note", {id: "x", onclick: f}, "text", child, ...). */
function make(what, properties = {}, ...children) {
  const [tag, ...classes] = what.split(".");
  const element = document.createElement(tag);
  element.className = classes.join(" ");
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element[name] = value;
    else if (name.startsWith("--")) element.style.setProperty(name, value);
    else if (value !== null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const percent = (share) => {
  const value = share * 100;
  return value > 0 && value < 1 ? "<1%" : value > 99 && value < 100 ? ">99%" : `${Math.round(value)}%`;
};

/** Pieces of a text between places, and what to put at each place. Places are in code points and do not overlap. */
function interleave(text, places, view) {
  const characters = Array.from(text), parts = [];
  let end = 0;
  for (const place of [...places].sort((a, b) => a.start - b.start)) {
    if (place.start < end) continue;
    parts.push(characters.slice(end, place.start).join(""), view(place, characters.slice(place.start, place.end).join("")));
    end = place.end;
  }
  return [...parts, characters.slice(end).join("")];
}

function splice(text, start, end, word) {
  const characters = Array.from(text);
  return characters.slice(0, start).join("") + word + characters.slice(end).join("");
}

/** Rows of name, bar and percentage; with `choose`, each can be pressed. */
function bars(rows, choose = null, wrong = false) {
  const list = make("ul.bars");
  rows.forEach((row, number) => {
    const cells = [
      make(number === 0 ? "b.best" : "b", {}, row.text),
      make(wrong ? "i.wrong" : "i", { "--score": row.score, "aria-hidden": "true" }),
      make("span", {}, percent(row.score)),
    ];
    list.append(choose ? make("li", {}, make("button", { type: "button", onclick: () => choose(row) }, ...cells)) : make("li", {}, ...cells));
  });
  return list;
}

// ------------------------------------------------------------------------------------------------------------------- asking

class Refused extends Error {}

/** What the server answers, as a value. Throws Refused with a sentence for people. */
async function call(path, body = null, signal = null) {
  const headers = body === null ? {} : { "Content-Type": "application/json" };
  if (state.key) headers.Authorization = `Bearer ${state.key}`;
  let response, value;
  try {
    response = await fetch(path, { method: body === null ? "GET" : "POST", headers, signal, body: body === null ? null : JSON.stringify(body) });
    value = await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(response ? `The server answered ${response.status} with something that is no JSON.` : "The server does not answer. Is it still running? Try again when it is.");
  }
  if (response.status === 401) {
    await askForKey(Boolean(state.key));
    return call(path, body, signal);
  }
  if (!response.ok) throw new Refused(value.error ? `${value.error.message} (${value.error.code})` : `The server answered ${response.status}.`);
  return value;
}

let keyAsked = null; // one dialog, however many requests wait for it

function askForKey(wasWrong) {
  keyAsked ??= new Promise((resolve) => {
    if (wasWrong) byId("keyhint").textContent = "The server does not know this key. Type it again, or ask whoever runs the server.";
    byId("keyform").onsubmit = () => {
      state.key = byId("key").value.trim();
      sessionStorage.setItem("key", state.key);
      keyAsked = null;
      resolve();
    };
    byId("key").value = "";
    byId("keyhole").oncancel = (event) => event.preventDefault(); // nothing works without it
    byId("keyhole").showModal();
  });
  return keyAsked;
}

/** The inputs that the fields hold; null while one that is needed is empty. */
function readFields() {
  const values = {};
  for (const [name, , kind] of TABS[state.tab].fields) {
    const held = [...document.querySelectorAll(`[name="${name}"]`)].map((field) => field.value);
    if (kind === "several") values[name] = held.filter((value) => value.trim());
    else if (held[0].trim() || kind !== "optional") values[name] = held[0];
    if (kind === "several" ? values[name].length < 2 : kind !== "optional" && !values[name].trim()) return null;
  }
  return values;
}

/** Ask the model about the fields, and show what it answers. A later call takes the place of an earlier one. */
async function ask() {
  clearTimeout(state.timer);
  closeMenu();
  const inputs = readFields(), model = current(), tab = TABS[state.tab];
  state.asked?.abort();
  remember(inputs);
  if (!inputs || !model) {
    byId("answer").replaceChildren();
    byId("answer").setAttribute("aria-busy", "false");
    showError("");
    byId("status").textContent = "";
    return;
  }
  const own = (state.asked = new AbortController());
  byId("answer").setAttribute("aria-busy", "true");
  try {
    const { predictions } = await call(`v1/models/${encodeURIComponent(model.name)}/predict`, { inputs: [inputs] }, own.signal);
    if (own !== state.asked) return;
    showError("");
    byId("status").textContent = "";
    byId("answer").replaceChildren(...tab.show(predictions[0], inputs, model).flat(), ...unread(predictions[0], model));
  } catch (error) {
    if (own !== state.asked || error.name === "AbortError") return;
    if (!(error instanceof Refused)) throw error;
    byId("answer").replaceChildren();
    showError(error.message);
  } finally {
    if (own === state.asked) byId("answer").setAttribute("aria-busy", "false");
  }
}

function askSoon() {
  clearTimeout(state.timer);
  state.timer = setTimeout(ask, PAUSE);
}

function showError(message) {
  byId("error").textContent = message;
  byId("error").hidden = !message;
}

// ---------------------------------------------------------------------------------------------------------- wrong words

function showDetection(prediction, inputs, model) {
  const suggests = state.models.some((other) => other.name === `${model.name}-generator`);
  const text = make("p.text", { role: "group", "aria-label": "Judged text; arrow keys go from word to word", onkeydown: walk });
  text.append(...interleave(prediction.text, prediction.words, (word, shown) =>
    make(word.score >= 0.5 ? "span.word.flagged" : "span.word", {
      role: "button", tabindex: "-1", "--score": word.score, "data-percent": percent(word.score), "data-start": word.start,
      "aria-label": `${shown}, ${percent(word.score)} likely wrong`, "aria-haspopup": suggests ? "true" : null,
      onclick: (event) => choose(event.currentTarget, word, prediction.text, model, suggests),
    }, shown)));
  const worst = [...prediction.words].sort((a, b) => b.score - a.score)[0];
  if (!worst) return [make("p.note", {}, "There is no word in this text.")];
  const first = text.querySelector(`[data-start="${worst.start}"]`);
  first.tabIndex = 0;
  byId("status").textContent = `${prediction.words.length} words; most suspicious: ${worst.text}, ${percent(worst.score)}`;
  if (state.undo) offerUndo();
  return [text, make("p.scale", {}, "belongs", make("i", { "aria-hidden": "true" }), "does not belong")];
}

/** Arrow keys, Home and End move between words; Enter and space choose one. */
function walk(event) {
  const words = [...event.currentTarget.querySelectorAll(".word")], here = words.indexOf(document.activeElement);
  const next = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: words.length - 1 }[event.key];
  if (event.key === "Enter" || event.key === " ") words[here]?.click();
  else if (words[next]) moveTo(words[next], words);
  else return;
  event.preventDefault();
}

function moveTo(word, words) {
  words.forEach((other) => (other.tabIndex = other === word ? 0 : -1));
  word.focus();
}

/** Show the number of a word and, where there is a generator, what it would write. */
async function choose(element, word, text, model, suggests) {
  closeMenu();
  const menu = byId("menu");
  const note = make("p.note", { role: "status" }, suggests ? "Asking the generator…" : "This model has no generator, so it proposes nothing.");
  menu.replaceChildren(make("p", {}, make("strong", {}, element.textContent), ` is ${percent(word.score)} likely wrong`), note);
  menu.setAttribute("role", "dialog");
  menu.setAttribute("aria-label", `Proposals for ${element.textContent}`);
  menu.tabIndex = -1;
  menu.hidden = false;
  menu.owner = element;
  element.setAttribute("aria-expanded", "true");
  place(menu, element);
  menu.focus({ preventScroll: true });
  if (!suggests) return;
  try {
    const body = { text, start: word.start, end: word.end, count: PROPOSALS };
    const { suggestions } = await call(`v1/models/${encodeURIComponent(model.name)}/suggest`, body);
    if (menu.owner !== element) return;
    const list = bars(suggestions, (row) => accept(text, word, row.text), true);
    note.replaceWith(suggestions.length ? list : make("p.note", {}, "The generator knows no other word for this place."));
    menu.append(make("p.note", {}, "How likely each would be wrong in its place. Enter takes one, Escape closes."));
    place(menu, element);
    (menu.querySelector("button") || menu).focus({ preventScroll: true });
    menu.scrollIntoView({ block: "nearest" });
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (menu.owner === element) note.textContent = error.message;
  }
}

/** Below a word, inside the page. */
function place(menu, element) {
  const box = element.getClientRects()[0], width = menu.offsetWidth;
  menu.style.left = `${scrollX + Math.max(12, Math.min(box.left, document.documentElement.clientWidth - width - 12))}px`;
  menu.style.top = `${scrollY + box.bottom + 8}px`;
}

function closeMenu(giveFocusBack = false) {
  const menu = byId("menu"), owner = menu.owner;
  if (menu.hidden) return;
  menu.hidden = true;
  menu.owner = null;
  owner?.removeAttribute("aria-expanded");
  if (giveFocusBack) owner?.focus();
}

/** Put a word in the place of another, and judge the text again. */
async function accept(text, word, proposal) {
  const field = document.querySelector('[name="text"]');
  state.undo = { from: field.value, told: `${word.text} → ${proposal}` };
  field.value = splice(text, word.start, word.end, proposal);
  await ask();
  document.querySelector(`.word[data-start="${word.start}"]`)?.focus();
}

function offerUndo() {
  const { from, told } = state.undo;
  state.undo = null;
  const undo = () => { document.querySelector('[name="text"]').value = from; ask(); document.querySelector('[name="text"]').focus(); };
  byId("status").replaceChildren(`${told} `, make("button.quiet", { type: "button", onclick: undo }, "Undo"));
}

// -------------------------------------------------------------------------------------------------------------- other views

/** A note where the model was not shown all of a text. */
const unread = (prediction, model) => prediction.unread_pieces
  ? [make("p.note", {}, `The text is too long: ${model.name} was not shown ${prediction.unread_pieces} of its pieces.`)] : [];

function showFilling(prediction, inputs) {
  const best = interleave(prediction.text, prediction.masks, (mask) => make("mark", {}, mask.candidates[0].text));
  const lists = prediction.masks.map((mask, number) => make("div", {},
    make("h2", {}, prediction.masks.length > 1 ? `Place ${number + 1}` : "What may stand there"),
    bars(mask.candidates, (row) => {
      document.querySelector('[name="text"]').value = splice(inputs.text, mask.start, mask.end, row.text.replace(/^##/, ""));
      ask();
    })));
  return [make("p.text", {}, ...best), make("div.masks", {}, ...lists)];
}

function showLabels(prediction) {
  if ("value" in prediction) return [make("p.verdict", {}, prediction.value.toPrecision(4))];
  const rows = Object.entries(prediction.probabilities).map(([text, score]) => ({ text, score })).sort((a, b) => b.score - a.score);
  const verdict = prediction.label ?? (prediction.labels.join(", ") || "none of the labels");
  const more = rows.length - MOST_BARS;
  return [make("p.verdict", {}, verdict), bars(rows.slice(0, MOST_BARS)), more > 0 ? make("p.note", {}, `and ${more} more below`) : ""];
}

function showTags(prediction, inputs) {
  const offsets = prediction.offsets;
  if (!prediction.entities) {
    const words = offsets.map(([start, end], number) => ({ start, end, tag: prediction.tags[number] }));
    return [make("p.text", {}, ...interleave(inputs.text, words, (word, shown) => make("span.tagged", {}, shown, make("small", {}, word.tag))))];
  }
  const types = [...new Set(prediction.entities.map((entity) => entity.type))].sort();
  const spans = prediction.entities.map((entity) => ({ start: entity.characters[0], end: entity.characters[1], type: entity.type }));
  const marked = interleave(inputs.text, spans, (span, shown) =>
    make("mark.kind", { "--hue": (190 + 137 * types.indexOf(span.type)) % 360 }, shown, make("small", {}, span.type)));
  return [make("p.text", {}, ...marked), make("p.note", {}, `${spans.length || "No"} span${spans.length === 1 ? "" : "s"} found`)];
}

function showAnswer(prediction, inputs) {
  const found = prediction.answer && prediction.start !== null;
  const spans = found ? [{ start: prediction.start, end: prediction.end }] : [];
  const others = (prediction.nbest || []).filter((entry) => entry.answer && entry.answer !== prediction.answer).map((entry) => entry.answer);
  return [
    make("p.verdict", {}, found ? prediction.answer : "The text does not say."),
    make("p.text", {}, ...interleave(inputs.context, spans, (_, shown) => make("mark", {}, shown))),
    others.length ? make("p.note", {}, `Or else: ${others.slice(0, 3).join("; ")}`) : "",
  ];
}

function showChoice(prediction, inputs) {
  const rows = inputs.choices.map((text, number) => ({ text, score: prediction.probabilities[number] })).sort((a, b) => b.score - a.score);
  return [make("p.verdict", {}, prediction.choice), bars(rows)];
}

// ------------------------------------------------------------------------------------------------------------------ the form

function showTab(name, { values = null, model = null, focus = false } = {}) {
  state.tab = name;
  const tab = TABS[name];
  for (const button of byId("tabs").children) {
    const chosen = button.dataset.tab === name;
    button.setAttribute("aria-selected", chosen);
    button.tabIndex = chosen ? 0 : -1;
    if (chosen) byId("panel").setAttribute("aria-labelledby", button.id);
    if (chosen && focus) button.focus();
  }
  const choices = modelsOf(name);
  byId("model").replaceChildren(...choices.map((one) => make("option", { value: one.name }, one.name)));
  if (choices.some((one) => one.name === model)) byId("model").value = model;
  byId("choose").hidden = choices.length < 2;
  byId("answer").setAttribute("aria-live", name === "detection" ? "off" : "polite"); // there the status says what matters
  byId("about").textContent = `${tab.about} ${current().name} reads ${current().max_length} tokens at a time.`;
  byId("examples").replaceChildren("Try: ", ...tab.examples.map((example) => make("button", { type: "button", onclick: () => { fill(example); ask(); } }, brief(example))));
  fill(values || state.values[name] || tab.examples[0]);
  byId("status").textContent = "";
  byId("answer").replaceChildren();
  ask();
}

const brief = (example) => {
  const text = Object.values(example).flat().find((value) => value);
  return text.length > 28 ? `${text.slice(0, 26).trimEnd()}…` : text;
};

/** Fields with these values. */
function fill(values) {
  byId("fields").replaceChildren(...TABS[state.tab].fields.flatMap(([name, label, kind]) => {
    if (kind === "several") return choiceFields(name, label, values[name] || ["", ""]);
    const field = kind === "line" ? make("input", { name, type: "text" }) : make("textarea", { name, rows: kind === "optional" ? 1 : 3, spellcheck: "false" });
    if (kind === "optional") field.style.minHeight = "2.8rem";
    field.value = values[name] || "";
    return [make("label", {}, label, field)];
  }));
}

function choiceFields(name, label, values) {
  const rows = values.map((value, number) => {
    const field = make("input", { name, type: "text" });
    field.value = value;
    const drop = () => { fill(collect((held) => held.filter((_, other) => other !== number))); ask(); };
    return make("div.choice", {}, make("label", {}, `${label} ${number + 1}`, field),
      values.length > 2 ? make("button.quiet", { type: "button", "aria-label": `Remove choice ${number + 1}`, onclick: drop }, "×") : "");
  });
  const add = () => { fill(collect((held) => [...held, ""])); document.querySelectorAll(`[name="${name}"]`)[values.length].focus(); };
  return [...rows, make("button.quiet", { type: "button", onclick: add }, "Add a choice")];
}

/** The fields of the choices tab, with its choices changed. */
function collect(change) {
  const held = [...document.querySelectorAll('[name="choices"]')].map((field) => field.value);
  return { prompt: document.querySelector('[name="prompt"]').value, choices: change(held) };
}

// -------------------------------------------------------------------------------------------------------------------- links

/** Keep what is asked in the address, so that it can be shared, and for the way back to this tab. */
function remember(inputs) {
  if (!inputs) return;
  state.values[state.tab] = inputs;
  const parameters = new URLSearchParams({ model: byId("model").value });
  for (const [name, value] of Object.entries(inputs)) for (const one of [value].flat()) parameters.append(name, one);
  history.replaceState(null, "", `#${parameters}`);
}

/** Show what an address asks. Returns whether it asks something that can be answered here. */
function restore() {
  const parameters = new URLSearchParams(location.hash.slice(1));
  const model = state.models.find((one) => one.name === parameters.get("model"));
  if (!model) return false;
  const tab = tabOf(model), values = {};
  for (const [name, , kind] of TABS[tab].fields) {
    if (parameters.has(name)) values[name] = kind === "several" ? parameters.getAll(name) : parameters.get(name);
  }
  showTab(tab, { model: model.name, values: Object.keys(values).length ? values : null });
  return true;
}

async function share() {
  try {
    await navigator.clipboard.writeText(location.href);
    byId("status").textContent = "Link copied";
  } catch {
    byId("status").textContent = "This browser does not allow copying; the link is in its address bar";
  }
}

// -------------------------------------------------------------------------------------------------------------------- begin

function showTabs() {
  const names = Object.keys(TABS).filter((name) => modelsOf(name).length);
  byId("tabs").replaceChildren(...names.map((name) => make("button", {
    type: "button", role: "tab", id: `tab-${name}`, "data-tab": name, "aria-controls": "panel", onclick: () => showTab(name),
  }, TABS[name].title)));
  byId("tabs").onkeydown = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) showTab(names[(names.indexOf(state.tab) + step + names.length) % names.length], { focus: true });
  };
  return names;
}

async function begin() {
  byId("form").onsubmit = (event) => { event.preventDefault(); ask(); };
  byId("form").oninput = (event) => (event.target === byId("model") ? showTab(state.tab, { model: event.target.value, values: readFields() }) : askSoon());
  byId("form").onkeydown = (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); ask(); }
  };
  byId("share").onclick = share;
  byId("menu").onkeydown = (event) => {
    const buttons = [...byId("menu").querySelectorAll("button")], step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape" || event.key === "Tab") { event.preventDefault(); closeMenu(true); }
    if (!step || !buttons.length) return;
    event.preventDefault();
    buttons[(buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length].focus();
  };
  document.addEventListener("pointerdown", (event) => {
    if (!byId("menu").contains(event.target) && !event.target.closest(".word")) closeMenu();
  });
  window.addEventListener("hashchange", restore);
  try {
    state.models = (await call("v1/models")).models.filter(tabOf);
    const names = showTabs();
    if (!names.length) showError("This server has no model that this page can ask.");
    else if (!restore()) showTab(names[0]);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    showError(error.message);
  }
}

begin();
