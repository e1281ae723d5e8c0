"use strict";
const $ = (id) => document.getElementById(id);
const index = JSON.parse($("index").textContent);
const pictures = index.pictures;
pictures.forEach((picture, number) => { picture.number = number; });

// Parts of pictures, decoded when they are needed --------------------------------------------------------------------

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const has = (picture, part) => (picture.parts || []).includes(part);

/** The data URL of a part; "" if the file left it out. Waits for it while the file still loads. */
async function part(picture, name) {
  if (!has(picture, name)) return "";
  for (;;) {
    const loaded = document.readyState !== "loading";
    const block = $(`${name}-${picture.number}`);
    if (block && (loaded || block.nextSibling)) {
      const text = block.textContent;
      return `data:image/${text.startsWith("iVBOR") ? "png" : "jpeg"};base64,${text}`;
    }
    if (loaded) return "";
    await sleep(50);
  }
}

// The list ------------------------------------------------------------------------------------------------------------

const STATUS = { failed: "failed", left: "not begun", done: "done", skipped: "skipped" };
const counts = {};
for (const picture of pictures) counts[picture.status] = (counts[picture.status] || 0) + 1;
const plural = (n) => `${n} picture${n === 1 ? "" : "s"}`;

const rounded = (_, value) => (typeof value === "number" ? Number(value.toFixed(3)) : value);

function lines(texts) {
  const list = document.createElement("ul");
  for (const text of texts) list.append(Object.assign(document.createElement("li"), { textContent: text }));
  return list;
}

function addFacts(list, facts) {
  for (const [key, value] of Object.entries(facts)) {
    const term = document.createElement("dt");
    const text = document.createElement("dd");
    term.textContent = key.replaceAll("_", " ");
    if (key === "found" && Array.isArray(value)) text.append(lines(value));
    else text.textContent = typeof value === "string" ? value : JSON.stringify(value, rounded);
    list.append(term, text);
  }
}

$("title").textContent = `diffuse ${index.op}: ${plural(pictures.length)}`;
$("summary").textContent = Object.keys(STATUS).filter((s) => counts[s]).map((s) => `${counts[s]} ${STATUS[s]}`).join(", ")
  + `, in ${index.seconds} s` + (index.stopped ? `; stopped by ${index.stopped}` : "") + `. diffuse ${index.version}`;
$("key-failure").hidden = !counts.failed;
$("common").hidden = Object.keys(index.common).length === 0;
addFacts($("common").querySelector("dl"), ordered(index.common));
for (const [value, text] of [["", "all"], ...Object.entries(STATUS).filter(([s]) => counts[s])]) {
  $("status").append(new Option(value ? `${text} (${counts[value]})` : text, value));
}
for (const option of [...$("order").options]) {
  const numeric = ["seconds", "change", "noise"].includes(option.value);
  if (numeric && !pictures.some((picture) => measure(picture, option.value) > -Infinity)) option.remove();
}

function measure(picture, key) {
  const value = key === "noise" ? (picture.recipe || {}).noise : picture[key];
  return typeof value === "number" ? value : -Infinity;
}

let listed = [];
let shown = 0;
const CHUNK = 60;

const thumbnails = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    thumbnails.unobserve(target);
    part(pictures[target.dataset.number], "thumbnail").then((url) => { if (url) target.src = url; });
  }
}, { rootMargin: "300px" });

const percent = (share) => `${share < 0.001 ? "< 0.1" : (100 * share).toFixed(1)} %`;

// What a recipe says was undone or done, in words.
function deeds(picture) {
  const recipe = { ...index.common, ...picture.recipe };
  const quality = Math.min(recipe.jpeg ?? 100, recipe.jpeg_quality ?? 100);
  const words = [];
  const level = recipe.noise_doubt > 0 ? "" : ` of ${(recipe.noise || 0).toFixed(1)} levels`;  // a doubtful one is told lower than it was found
  if (recipe.noise > 0) words.push(`noise${level}`);
  if (quality < 100) words.push(`JPEG ${Math.round(quality)}`);
  if (recipe.blur > 0) words.push(`blur of ${recipe.blur.toFixed(1)} pixels`);
  if (recipe.motion) words.push(`motion of ${recipe.motion[0].toFixed(0)} pixels`);
  if (recipe.defocus) words.push(`defocus of ${recipe.defocus.toFixed(1)} pixels`);
  if (recipe.scale > 1) words.push(`x${recipe.scale}`);
  if (picture.filled > 0) words.push(`${percent(picture.filled)} filled`);
  return picture.change === 0 ? ["unchanged"] : words;
}

function says(picture) {
  if (picture.why) return `${STATUS[picture.status]}: ${picture.why.replace(`${picture.name}: `, "")}`;
  if (picture.status !== "done") return STATUS[picture.status];
  return [STATUS.done, `${picture.seconds} s`, ...deeds(picture)].join(", ");
}

// A recipe for people: no value twice, and hashes at the end.
function ordered(recipe) {
  const isHash = ([, value]) => /^[0-9a-f]{64}$/.test(value);
  const entries = Object.entries(recipe).filter(([key]) => key !== "jpeg_quality" || recipe.jpeg === undefined);
  return Object.fromEntries([...entries.filter((one) => !isHash(one)), ...entries.filter(isHash)]);
}

function card(picture) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.className = `card ${picture.status}`;
  if (has(picture, "thumbnail")) {
    const image = document.createElement("img");
    image.className = "thumb";
    image.alt = "";
    image.decoding = "async";
    image.dataset.number = picture.number;
    thumbnails.observe(image);
    button.append(image);
  }
  for (const [kind, text] of [["label", picture.name], ["says", says(picture)]]) {
    const span = document.createElement("span");
    span.className = kind;
    span.textContent = text;
    button.append(span);
  }
  button.addEventListener("click", () => open(picture));
  item.append(button);
  return item;
}

function more() {
  const fragment = document.createDocumentFragment();
  for (const picture of listed.slice(shown, shown + CHUNK)) fragment.append(card(picture));
  shown = Math.min(shown + CHUNK, listed.length);
  $("pictures").append(fragment);
  if (shown >= listed.length) return;
  tail.unobserve($("end"));  // it tells of a change only, and the end may be in sight still
  tail.observe($("end"));
}

const tail = new IntersectionObserver((entries) => {
  if (entries.some((entry) => entry.isIntersecting) && shown < listed.length) more();
}, { rootMargin: "800px" });

function list() {
  const words = $("search").value.toLowerCase();
  const status = $("status").value;
  const order = $("order").value;
  listed = pictures.filter((p) => (!status || p.status === status)
    && (!words || p.name.toLowerCase().includes(words) || p.output.toLowerCase().includes(words)));
  if (order === "name") listed.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
  else if (order) listed.sort((a, b) => measure(b, order) - measure(a, order));
  thumbnails.disconnect();
  $("pictures").textContent = "";
  shown = 0;
  $("count").textContent = `${plural(listed.length)} shown`;
  more();
}

let typing = 0;
$("search").addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(list, 120); });
for (const id of ["status", "order"]) $(id).addEventListener("change", list);
$("tools").addEventListener("submit", (event) => event.preventDefault());
tail.observe($("end"));
list();

// One picture: both sides move and zoom together ----------------------------------------------------------------------

const viewer = $("viewer");
const stage = $("stage");
const canvases = [...document.querySelectorAll(".canvas")];
const view = { picture: null, zoom: 1, x: 0, y: 0, split: 50 };
const MOST_ZOOM = 16;

const size = () => view.picture.size || [1, 1];
const fitting = () => Math.min(stage.clientWidth / size()[0], stage.clientHeight / size()[1]);

function draw() {
  if (!view.picture) return;
  const [w, h] = size();
  const [sw, sh] = [stage.clientWidth, stage.clientHeight];
  const clamp = (at, whole, room) => whole <= room ? (room - whole) / 2 : Math.min(0, Math.max(room - whole, at));
  view.x = clamp(view.x, w * view.zoom, sw);
  view.y = clamp(view.y, h * view.zoom, sh);
  for (const canvas of canvases) {
    canvas.style.width = `${w}px`;
    canvas.style.height = `${h}px`;
    canvas.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.zoom})`;
  }
  stage.classList.toggle("sharp", view.zoom >= 2);
  const two = has(view.picture, "before");
  const at = two ? view.split : 0;
  $("layer-before").style.clipPath = `inset(0 ${100 - at}% 0 0)`;
  $("handle").style.left = `${at}%`;
  $("slider").value = at;
  $("slider").setAttribute("aria-valuetext", `${Math.round(at)} percent before, ${Math.round(100 - at)} percent after`);
  $("zoom").textContent = `${Math.round(view.zoom * 100)} %`;
}

function zoomTo(zoom, cx = stage.clientWidth / 2, cy = stage.clientHeight / 2) {
  const next = Math.min(MOST_ZOOM, Math.max(Math.min(fitting(), 1), zoom));
  view.x = cx - (cx - view.x) * next / view.zoom;
  view.y = cy - (cy - view.y) * next / view.zoom;
  view.zoom = next;
  draw();
}

function fit() {
  view.zoom = Math.min(fitting(), MOST_ZOOM);
  view.x = view.y = 0;
  draw();
}

/** One to one, at the sharp detail where there is one, else at a point, else in the middle. */
function oneToOne(cx, cy) {
  const place = (view.picture.places || {}).after || [];
  if (cx === undefined && place.length) {
    view.zoom = 1;
    view.x = stage.clientWidth / 2 - (place[0] + place[2] / 2);
    view.y = stage.clientHeight / 2 - (place[1] + place[3] / 2);
    draw();
  } else {
    zoomTo(1, cx, cy);
  }
}

function split(at) {
  view.split = Math.min(100, Math.max(0, at));
  draw();
}

/** What can be laid over both sides: what was filled, and where samples differ. */
const OVER = ["filled", "overlay"];

function layOver(name) {
  $(`layer-${name}`).hidden = !$(name).checked || !has(view.picture, name);
}

function toggle(name) {
  if (has(view.picture, name)) $(name).click();
}

async function fill(side, picture) {
  const canvas = $(`layer-${side}`).firstElementChild;
  const images = [];
  for (const name of OVER.includes(side) ? [side] : [side, `${side}_detail`]) {
    const url = await part(picture, name);
    if (!url) continue;
    const image = new Image();
    const detail = name.endsWith("_detail");
    const [x, y, w, h] = detail ? picture.places[side] : [0, 0, ...picture.size];
    image.alt = detail ? "" : `${picture.name}, ${side}`;
    if (detail) image.className = "detail";
    Object.assign(image.style, { left: `${x}px`, top: `${y}px`, width: `${w}px`, height: `${h}px` });
    image.src = url;
    images.push(image);
  }
  await Promise.all(images.map((image) => image.decode().catch(() => {})));
  if (view.picture === picture) canvas.replaceChildren(...images);
  return images.length;
}

async function show(picture) {
  view.picture = picture;
  $("name").textContent = picture.name;
  const at = listed.indexOf(picture);
  $("previous").disabled = at <= 0;
  $("next").disabled = at < 0 || at >= listed.length - 1;
  const two = has(picture, "before");
  for (const id of ["slide", "handle", "tag-before"]) $(id).hidden = !two;
  for (const name of OVER) {
    $(`over-${name}`).hidden = $(`key-${name}`).hidden = !has(picture, name);
    layOver(name);
  }
  stage.hidden = $("controls").hidden = !has(picture, "after");
  $("message").textContent = "";
  for (const canvas of canvases) canvas.replaceChildren();
  details(picture);
  fit();
  if (stage.hidden) return;
  const late = setTimeout(() => { if (view.picture === picture) $("message").textContent = "still loading"; }, 400);
  const found = await Promise.all(["before", "after", ...OVER].map((side) => fill(side, picture)));
  clearTimeout(late);
  if (view.picture !== picture) return;
  const place = (picture.places.after || []).length ? "sharp inside the red frame; elsewhere a smaller preview" : "";
  $("message").textContent = found[1] ? place : "there was no room for this picture; --report-size allows more";
}

function details(picture) {
  const list = document.createElement("dl");
  const facts = { [picture.status === "done" ? "result" : "status"]: says(picture) };
  if (picture.size) facts.size = `${picture.size[0]} x ${picture.size[1]}`;
  if (picture.change !== undefined) facts.change = `${picture.change} levels (root mean square)`;
  if (picture.overlay) facts.uncertainty = picture.overlay;
  if ((picture.notes || []).length) facts.found = picture.notes;
  addFacts(list, facts);
  const recipe = document.createElement("dl");
  addFacts(recipe, ordered(picture.recipe || {}));
  const more = document.createElement("details");
  more.innerHTML = "<summary>Recipe</summary>";
  more.append(recipe);
  more.hidden = recipe.childElementCount === 0;
  const links = document.createElement("p");
  for (const [text, to] of [["input", picture.from], ["result", picture.to]]) {
    if (!to) continue;
    const link = document.createElement("a");
    link.href = to.split("/").map(encodeURIComponent).join("/");
    link.textContent = `${text}: ${to}`;
    links.append(link, " ");
  }
  $("facts").replaceChildren(list, links, more);
}

function open(picture) {
  viewer.showModal();
  show(picture);
  (stage.hidden ? $("close") : has(picture, "before") ? $("slider") : stage).focus();
}

/** The next picture that failed, after the last one the first. */
function nextFailure() {
  const at = listed.indexOf(view.picture);
  const next = [...listed.slice(at + 1), ...listed.slice(0, at)].find((picture) => picture.status === "failed");
  if (next) show(next);
}

function step(by) {
  const to = listed[listed.indexOf(view.picture) + by];
  if (to) show(to);
}

$("close").addEventListener("click", () => viewer.close());
$("previous").addEventListener("click", () => step(-1));
$("next").addEventListener("click", () => step(1));
$("fit").addEventListener("click", fit);
$("one").addEventListener("click", () => oneToOne());
$("in").addEventListener("click", () => zoomTo(view.zoom * 1.5));
$("out").addEventListener("click", () => zoomTo(view.zoom / 1.5));
$("slider").addEventListener("input", () => split(Number($("slider").value)));
for (const name of OVER) $(name).addEventListener("change", () => layOver(name));
viewer.addEventListener("close", () => {
  view.picture = null;
  for (const canvas of canvases) canvas.replaceChildren();
});
new ResizeObserver(() => draw()).observe(stage);

viewer.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const moves = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
  const keys = {
    PageUp: () => step(-1), PageDown: () => step(1), 0: fit, 1: () => oneToOne(), f: nextFailure,
    m: () => toggle("filled"), u: () => toggle("overlay"), b: () => split(view.split <= 50 ? 100 : 0),
    "+": () => zoomTo(view.zoom * 1.5), "=": () => zoomTo(view.zoom * 1.5), "-": () => zoomTo(view.zoom / 1.5),
  };
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (keys[key]) keys[key]();
  else if (moves[event.key] && document.activeElement === stage) {
    view.x += moves[event.key][0];
    view.y += moves[event.key][1];
    draw();
  } else return;
  event.preventDefault();
});

// Pointers: one drags (the handle, or a picture that is larger than the stage), two pinch -------------------------------

const pointers = new Map();
let drag = "";
let splitBefore = 50;

const at = (event) => {
  const box = stage.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
};
const spread = () => {
  const [a, b] = [...pointers.values()];
  return { length: Math.hypot(a[0] - b[0], a[1] - b[1]), x: (a[0] + b[0]) / 2, y: (a[1] + b[1]) / 2 };
};

stage.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  stage.setPointerCapture(event.pointerId);
  const [x, y] = at(event);
  const larger = size()[0] * view.zoom > stage.clientWidth + 1 || size()[1] * view.zoom > stage.clientHeight + 1;
  const near = Math.abs(x - stage.clientWidth * view.split / 100) <= 22;
  if (pointers.size === 0) splitBefore = view.split;
  else if (drag === "split") split(splitBefore);  // the first finger did not mean to
  if (pointers.size === 0) drag = has(view.picture, "before") && (near || !larger) ? "split" : "move";
  else drag = "pinch";
  pointers.set(event.pointerId, [x, y]);
  if (drag === "split") split(100 * x / stage.clientWidth);
});
stage.addEventListener("pointermove", (event) => {
  const before = pointers.get(event.pointerId);
  if (!before) return;
  const [x, y] = at(event);
  if (drag === "pinch" && pointers.size === 2) {
    const old = spread();
    pointers.set(event.pointerId, [x, y]);
    const now = spread();
    view.x += now.x - old.x;
    view.y += now.y - old.y;
    zoomTo(view.zoom * now.length / Math.max(old.length, 1), now.x, now.y);
    return;
  }
  pointers.set(event.pointerId, [x, y]);
  if (drag === "split") split(100 * x / stage.clientWidth);
  else if (drag === "move") {
    view.x += x - before[0];
    view.y += y - before[1];
    draw();
  }
});
for (const kind of ["pointerup", "pointercancel"]) {
  stage.addEventListener(kind, (event) => {
    pointers.delete(event.pointerId);
    if (pointers.size === 0) drag = "";
    else if (drag === "pinch") drag = "move";
  });
}
stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  zoomTo(view.zoom * Math.exp(-event.deltaY / 400), ...at(event));
}, { passive: false });
stage.addEventListener("dblclick", (event) => {
  if (Math.abs(view.zoom - 1) < 0.01) fit();
  else oneToOne(...at(event));
});
