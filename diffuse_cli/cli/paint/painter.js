"use strict";
const $ = (id) => document.getElementById(id);
const stage = $("stage");
const mask = $("mask").getContext("2d", { willReadFrequently: true });
const draft = $("draft").getContext("2d");
const INK = "#ff1744";
const view = { width: 1, height: 1, zoom: 1, x: 0, y: 0 };
const state = { tool: "brush", done: [], undone: [], open: null, cursor: null, mouse: null, over: false, guess: 0, shown: null };

// What was done, as a list of marks: undoing is drawing one mark less ------------------------------------------------

/** A mark: {tool, erase, width, points} or {image}. Points are picture coordinates. */
function put(context, mark) {
  if (mark.image) {
    context.drawImage(mark.image, 0, 0);
    return;
  }
  context.save();
  context.globalCompositeOperation = mark.erase ? "destination-out" : "source-over";
  context.fillStyle = context.strokeStyle = INK;
  const [first, ...rest] = mark.points;
  context.beginPath();
  if (mark.tool === "box") {
    const [last] = mark.points.slice(-1);
    const [left, top] = [Math.min(first[0], last[0]), Math.min(first[1], last[1])].map(Math.floor);
    const [right, bottom] = [Math.max(first[0], last[0]), Math.max(first[1], last[1])].map(Math.ceil);
    context.fillRect(left, top, right - left, bottom - top);
  } else if (mark.tool === "polygon") {
    context.moveTo(...first);
    for (const point of rest) context.lineTo(...point);
    context.fill();
  } else if (rest.length === 0) {
    context.arc(...first, mark.width / 2, 0, 2 * Math.PI);
    context.fill();
  } else {
    Object.assign(context, { lineWidth: mark.width, lineCap: "round", lineJoin: "round" });
    context.moveTo(...first);
    for (const point of rest) context.lineTo(...point);
    context.stroke();
  }
  context.restore();
}

function redraw() {
  mask.clearRect(0, 0, view.width, view.height);
  for (const mark of state.done) put(mask, mark);
  tell();
}

function add(mark) {
  state.done.push(mark);
  state.undone = [];
  put(mask, mark);
  hideResult();
  tell();
}

function undo() {
  if (state.open) { drop(); return; }
  if (state.done.length) state.undone.push(state.done.pop());
  hideResult();
  redraw();
}

function redo() {
  if (state.undone.length) state.done.push(state.undone.pop());
  hideResult();
  redraw();
}

function tell() {
  $("undo").disabled = !state.done.length && !state.open;
  $("redo").disabled = !state.undone.length;
}

/** The mark being made, shown before it is finished. */
function showDraft() {
  draft.clearRect(0, 0, view.width, view.height);
  const thin = Math.max(1, 2 / view.zoom);
  if (state.open) {
    draft.globalAlpha = 0.55;
    if (state.open.erase) draft.fillStyle = draft.strokeStyle = "#fff";
    const shown = { ...state.open, erase: false };
    if (shown.tool === "polygon" && shown.points.length < 3) {
      draft.strokeStyle = INK;
      draft.lineWidth = thin;
      draft.beginPath();
      shown.points.forEach((point) => draft.lineTo(...point));
      draft.stroke();
      for (const [x, y] of shown.points) draft.fillRect(x - 2 * thin, y - 2 * thin, 4 * thin, 4 * thin);
    } else put(draft, shown);
    draft.globalAlpha = 1;
  }
  if (state.cursor) {
    const [x, y] = state.cursor;
    const arm = 12 / view.zoom;
    for (const [colour, width] of [["#fff", 3 * thin], ["#000", thin]]) {
      draft.strokeStyle = colour;
      draft.lineWidth = width;
      draft.beginPath();
      draft.moveTo(x - arm, y); draft.lineTo(x + arm, y);
      draft.moveTo(x, y - arm); draft.lineTo(x, y + arm);
      draft.stroke();
    }
  }
}

function drop() {
  state.open = null;
  showDraft();
  tell();
}

function finish() {
  const open = state.open;
  drop();
  if (open && (open.tool !== "polygon" || open.points.length >= 3)) add(open);
}

/** The tool is put down at a point, moved to others, and lifted; a polygon takes a corner each time. */
function down(point) {
  const { tool } = state;
  if (tool === "polygon") {
    if (!state.open) state.open = { tool, erase: false, points: [] };
    const [first] = state.open.points;
    const near = first && Math.hypot(point[0] - first[0], point[1] - first[1]) * view.zoom < 12;
    if (near && state.open.points.length >= 3) finish();
    else state.open.points.push(point);
  } else {
    const erase = tool === "eraser";
    state.open = { tool: tool === "box" ? "box" : "brush", erase, width: Number($("width").value), points: [point] };
  }
  showDraft();
  tell();
}

function moved(point) {
  if (!state.open || state.open.tool === "polygon") return;
  state.open.points.push(point);
  if (state.open.tool === "box") state.open.points.splice(1, state.open.points.length - 2);
  showDraft();
}

function up() {
  if (state.open && state.open.tool !== "polygon") finish();
}

function choose(tool) {
  if (state.open) finish();
  state.tool = tool;
  for (const button of document.querySelectorAll("[data-tool]")) {
    button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
  }
  stage.style.cursor = tool === "move" ? "grab" : "crosshair";
  showRing();
}

// Zoom and pan --------------------------------------------------------------------------------------------------------

const fitting = () => Math.min(stage.clientWidth / view.width, stage.clientHeight / view.height);

/** A ring as wide as the brush, where the mouse is. */
function showRing(point = state.mouse) {
  state.mouse = point;
  const paints = state.tool === "brush" || state.tool === "eraser";
  $("ring").hidden = !point || !paints;
  if (!point) return;
  const across = Math.max(2, Number($("width").value) * view.zoom);
  Object.assign($("ring").style, { width: `${across}px`, height: `${across}px` });
  $("ring").style.transform = `translate(${point[0] - across / 2}px, ${point[1] - across / 2}px)`;
}

function place() {
  const clamp = (at, whole, room) => whole <= room ? (room - whole) / 2 : Math.min(room / 2, Math.max(room / 2 - whole, at));
  view.x = clamp(view.x, view.width * view.zoom, stage.clientWidth);
  view.y = clamp(view.y, view.height * view.zoom, stage.clientHeight);
  $("canvas").style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.zoom})`;
  stage.classList.toggle("sharp", view.zoom >= 2);
  showRing();
  showDraft();
}

function zoomTo(zoom, cx = stage.clientWidth / 2, cy = stage.clientHeight / 2) {
  const next = Math.min(32, Math.max(Math.min(fitting(), 1), zoom));
  view.x = cx - (cx - view.x) * next / view.zoom;
  view.y = cy - (cy - view.y) * next / view.zoom;
  view.zoom = next;
  place();
}

function fit() {
  view.zoom = fitting();
  view.x = view.y = 0;
  place();
}

// Pointers: one uses the tool, two pinch and move -----------------------------------------------------------------------

const pointers = new Map();
let pinching = false;
const at = (event) => {
  const box = stage.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
};
const inPicture = ([x, y]) => [(x - view.x) / view.zoom, (y - view.y) / view.zoom];
const spread = () => {
  const [a, b] = [...pointers.values()];
  return { length: Math.hypot(a[0] - b[0], a[1] - b[1]), x: (a[0] + b[0]) / 2, y: (a[1] + b[1]) / 2 };
};

stage.addEventListener("pointerdown", (event) => {
  if (event.button !== 0 && event.button !== 1) return;
  stage.setPointerCapture(event.pointerId);
  state.cursor = null;
  pointers.set(event.pointerId, at(event));
  if (pointers.size === 2) {  // the first finger did not mean to paint
    pinching = true;
    if (state.open && state.open.tool === "polygon") state.open.points.pop();
    if (state.open && (state.open.tool !== "polygon" || !state.open.points.length)) drop();
  } else if (pointers.size === 1 && state.tool !== "move" && event.button === 0) {
    down(inPicture(at(event)));
  }
});
stage.addEventListener("pointermove", (event) => {
  showRing(event.pointerType === "mouse" || event.pointerType === "pen" ? at(event) : null);
  const before = pointers.get(event.pointerId);
  if (!before) return;
  const now = at(event);
  if (pinching && pointers.size === 2) {
    const old = spread();
    pointers.set(event.pointerId, now);
    const next = spread();
    view.x += next.x - old.x;
    view.y += next.y - old.y;
    zoomTo(view.zoom * next.length / Math.max(old.length, 1), next.x, next.y);
    return;
  }
  pointers.set(event.pointerId, now);
  if (pinching) return;
  if (state.tool === "move" || event.buttons === 4) {
    view.x += now[0] - before[0];
    view.y += now[1] - before[1];
    place();
  } else {
    for (const part of event.getCoalescedEvents?.() || []) moved(inPicture(at(part)));
    moved(inPicture(now));
  }
});
for (const kind of ["pointerup", "pointercancel"]) {
  stage.addEventListener(kind, (event) => {
    if (!pointers.delete(event.pointerId)) return;
    if (!pinching) up();
    if (pointers.size === 0) pinching = false;
  });
}
stage.addEventListener("pointerleave", () => showRing(null));
stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  zoomTo(view.zoom * Math.exp(-event.deltaY / 400), ...at(event));
}, { passive: false });

// Keys ----------------------------------------------------------------------------------------------------------------

document.addEventListener("keydown", (event) => {
  if (event.target.tagName === "INPUT" && event.target.type !== "range") return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.ctrlKey || event.metaKey) {
    const action = { z: event.shiftKey ? redo : undo, y: redo }[key];
    if (!action) return;
    action();
  } else if (!act(key)) return;
  event.preventDefault();
});

/** Whether the key means something. */
function act(key) {
  const tools = { b: "brush", e: "eraser", r: "box", p: "polygon", h: "move" };
  const actions = {
    f: () => pressButton("fill"), g: () => pressButton("another"), m: () => pressButton("back"),
    "+": () => zoomTo(view.zoom * 1.5), "=": () => zoomTo(view.zoom * 1.5), "-": () => zoomTo(view.zoom / 1.5),
    0: fit, 1: () => zoomTo(1), "[": () => widen(0.8), "]": () => widen(1.25),
  };
  const onStage = document.activeElement === stage;
  if (tools[key]) choose(tools[key]);
  else if (actions[key]) actions[key]();
  else if (key === "Escape" && state.open) drop();
  else if (key === "Enter" && state.open) finish();
  else if (onStage && key.startsWith("Arrow")) step(key);
  else if (onStage && key === " ") press();
  else return false;
  return true;
}

/** Press a button, if there is one. */
function pressButton(id) {
  if (!$(id).hidden && !$(id).disabled) $(id).click();
}

function widen(factor) {
  $("width").value = Math.round(Number($("width").value) * factor + Math.sign(factor - 1) * 0.5);
  tellWidth();
}

function tellWidth() {
  $("width-told").textContent = $("width").value;
  showRing();
}

function step(key) {
  const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
  const far = Math.max(1, Number($("width").value) / 2);
  const [x, y] = state.cursor || [view.width / 2, view.height / 2];
  state.cursor = [Math.min(view.width, Math.max(0, x + dx * far)), Math.min(view.height, Math.max(0, y + dy * far))];
  if (state.open && state.open.tool === "box") moved(state.cursor);
  showDraft();
}

/** The space bar: a dab, a polygon's corner, or a box's first and then second corner. */
function press() {
  if (state.tool === "move") return;
  state.cursor ||= [view.width / 2, view.height / 2];
  if (state.open && state.open.tool === "box") { moved(state.cursor); finish(); return; }
  down(state.cursor);
  if (state.tool !== "box") up();
}

// The server ----------------------------------------------------------------------------------------------------------

const say = (text) => { $("message").textContent = text; };

async function ask(name, body) {
  const answer = await fetch(name, { method: "POST", body, headers: { "Content-Type": "image/png" } });
  if (!answer.ok) throw new Error(await answer.text());
  return answer;
}

/** The mask as a PNG: white where more than half of a pixel is painted, else black. */
function asPng() {
  if (state.open) finish();
  const { width, height } = view;
  const pixels = mask.getImageData(0, 0, width, height);
  const data = pixels.data;
  for (let i = 0; i < data.length; i += 4) {
    data[i] = data[i + 1] = data[i + 2] = data[i + 3] >= 128 ? 255 : 0;
    data[i + 3] = 255;
  }
  const plain = Object.assign(document.createElement("canvas"), { width, height });
  plain.getContext("2d").putImageData(pixels, 0, 0);
  return new Promise((done) => plain.toBlob(done, "image/png"));
}

async function busy(button, text, work) {
  for (const one of document.querySelectorAll("button")) one.toggleAttribute("data-off", one.disabled), one.disabled = true;
  say(text);
  try {
    await work();
  } catch (error) {
    say(`That did not work: ${error.message}`);
  }
  if (state.over) return;
  for (const one of document.querySelectorAll("button")) one.disabled = one.hasAttribute("data-off");
  tell();
  (button.hidden ? $("result").hidden ? $("fill") : $("keep") : button).focus();
}

/** Which buttons there are: those for painting, or those for a result. */
function showButtons() {
  const looking = !$("result").hidden;
  for (const id of ["back", "another", "keep"]) $(id).hidden = !looking;
  $("earlier").hidden = !looking || state.guess === 0;
  $("fill").hidden = $("download").hidden = looking;
  $("mask").hidden = looking;
}

function hideResult() {
  if ($("result").hidden) return;
  $("result").hidden = true;
  Object.assign(state, { guess: 0, shown: null });
  showButtons();
  say("");
}

/** The result of the mask, filled as a guess has it. */
async function showResult(guess) {
  if (!await anyInk()) { say("Nothing is painted yet. Paint over what is to be filled."); return; }
  const answer = await ask(`preview?guess=${guess}`, await asPng());
  const blob = await answer.blob();
  const content = new Uint8Array(await blob.arrayBuffer());
  const same = guess > 0 && state.shown && content.length === state.shown.length && content.every((byte, i) => byte === state.shown[i]);
  const url = URL.createObjectURL(blob);
  $("result").src = url;
  await $("result").decode();
  URL.revokeObjectURL(url);
  $("result").hidden = false;
  Object.assign(state, { guess, shown: content });
  showButtons();
  if (same) say("The same again: what is narrow has one likeliest filling. Keep it, or paint on.");
  else say(guess === 0 ? "This is how it is filled. Keep it, try another guess, or paint on." : `Guess ${guess + 1}. Keep it, try another one, or paint on.`);
}

/** Whether anything is painted. */
async function anyInk() {
  if (state.open) finish();
  return mask.getImageData(0, 0, view.width, view.height).data.some((level, i) => i % 4 === 3 && level >= 128);
}

/** Marks that may be damage. They take the place of those that were suggested just before. */
async function suggest() {
  const answer = await ask(`suggest?strength=${$("strength").value}`, new Blob([]));
  const image = await createImageBitmap(await answer.blob());
  const ink = inked(image);
  const found = ink.getContext("2d").getImageData(0, 0, view.width, view.height).data.some((level) => level > 0);
  if (isSuggested()) undo();
  if (found) add({ image: ink, suggested: true });
  say(found ? "Suggested marks are added. Erase what is none, or move the slider." : "Nothing was found that looks like damage. Move the slider to find more.");
}

const isSuggested = () => state.done.length > 0 && Boolean(state.done[state.done.length - 1].suggested);

/** A mask's white, as ink on nothing. */
function inked(image) {
  const { width, height } = view;
  const sheet = Object.assign(document.createElement("canvas"), { width, height });
  const context = sheet.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, width, height);
  const ink = [0xff, 0x17, 0x44];
  for (let i = 0; i < pixels.data.length; i += 4) {
    const white = pixels.data[i] >= 128;
    ink.forEach((level, channel) => { pixels.data[i + channel] = level; });
    pixels.data[i + 3] = white ? 255 : 0;
  }
  context.putImageData(pixels, 0, 0);
  return sheet;
}

async function download() {
  const url = URL.createObjectURL(await asPng());
  const link = Object.assign(document.createElement("a"), { href: url, download: "mask.png" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
  say("The mask is saved where this browser saves files.");
}

async function leave(name, body, text) {
  await ask(name, body);
  state.over = true;
  clearInterval(heartbeat);
  say(text);
}

const look = (button, guess) => busy(button, "Filling ...", () => showResult(guess));
const lookForDamage = () => busy($("suggest"), "Looking for scratches ...", suggest);
$("fill").addEventListener("click", () => look($("fill"), 0));
$("another").addEventListener("click", () => look($("another"), state.guess + 1));
$("earlier").addEventListener("click", () => look($("earlier"), state.guess - 1));
$("back").addEventListener("click", hideResult);
$("suggest").addEventListener("click", lookForDamage);
$("strength").addEventListener("input", tellStrength);
$("strength").addEventListener("change", () => { if (isSuggested() && !$("suggest").disabled) lookForDamage(); });
$("download").addEventListener("click", download);
$("keep").addEventListener("click", () => busy($("keep"), "Sending the mask ...", async () => {
  await leave(`done?guess=${state.guess}`, await asPng(), "Kept. This picture is being written; this page can be closed.");
}));
$("cancel").addEventListener("click", () => busy($("cancel"), "", () => leave("cancel", new Blob([]), "Cancelled; this page can be closed.")));
$("undo").addEventListener("click", undo);
$("redo").addEventListener("click", redo);
$("clear").addEventListener("click", () => add({ tool: "box", erase: true, points: [[0, 0], [view.width, view.height]] }));
$("fit").addEventListener("click", fit);
$("one").addEventListener("click", () => zoomTo(1));
$("in").addEventListener("click", () => zoomTo(view.zoom * 1.5));
$("out").addEventListener("click", () => zoomTo(view.zoom / 1.5));
$("width").addEventListener("input", tellWidth);
for (const button of document.querySelectorAll("[data-tool]")) button.addEventListener("click", () => choose(button.dataset.tool));
stage.addEventListener("dblclick", () => { if (state.tool === "polygon" && state.open) { state.open.points.pop(); finish(); } });
new ResizeObserver(() => place()).observe(stage);

const heartbeat = setInterval(() => fetch("alive", { method: "POST", body: "" }).catch(() => {
  say("diffuse has ended; the mask can still be saved.");
}), 5000);
window.addEventListener("pagehide", () => { if (!state.over) navigator.sendBeacon("leaving", ""); });

function tellStrength() {
  $("strength-told").textContent = Number($("strength").value).toFixed(2);
}

async function begin() {
  const facts = await (await fetch("facts")).json();
  [view.width, view.height] = facts.size;
  for (const canvas of [$("mask"), $("draft")]) [canvas.width, canvas.height] = facts.size;
  $("canvas").style.width = `${view.width}px`;
  $("canvas").style.height = `${view.height}px`;
  $("name").textContent = facts.name;
  $("suggest").hidden = $("how-much").hidden = !facts.suggests;
  $("strength").value = facts.strength;
  tellStrength();
  $("width").max = Math.max(20, Math.round(Math.max(view.width, view.height) / 8));
  $("width").value = Math.max(3, Math.round(Math.max(view.width, view.height) / 50));
  tellWidth();
  $("picture").src = "picture";
  if (facts.initial) {
    const image = new Image();
    image.src = "initial";
    await image.decode();
    state.done.push({ image: inked(image) });
  }
  await $("picture").decode();
  redraw();
  fit();
  document.body.dataset.ready = "yes";
}
begin();
