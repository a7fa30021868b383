"use strict";
// A grid of many images of which only those in sight exist, filters, and a viewer.
// Whatever is shown as text is set as text: names come from strangers.

const $ = id => document.getElementById(id);
const data = JSON.parse($("data").textContent);
const tools = $("tools"), grid = $("grid"), viewer = $("viewer"), picture = $("picture");
const LONG = 1000;  // the longer side of an image in its own drawing
const SIZES = ["small", "medium", "large"];
const CAPTION = 52, GAP = 12;

// -- what an image is --------------------------------------------------------------------------

// An object is one number: label * 8 + size * 2 + whether it is a crowd region.
const labelOf = code => code >> 3, sizeOf = code => code >> 1 & 3, isCrowd = code => code & 1;
const colourOf = (code, k) => data.colours[(data.classes.length > 1 ? labelOf(code) : k) % data.colours.length];
const counted = image => image.objects.filter(code => !isCrowd(code)).length;
const plural = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;
const frame = image => {
  const scale = LONG / Math.max(image.width, image.height);
  return [image.width * scale, image.height * scale];
};

function thumb(image) {
  if (data.folder) return image.thumb ? `${data.folder}/${image.thumb}` : "";
  return image.thumb ? `data:image/webp;base64,${image.thumb}` : "";
}

function make(name, attributes, parent) {
  const svg = ["svg", "g", "image", "path", "text", "rect", "title"].includes(name);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "text") node.textContent = value; else node.setAttribute(key, value);
  }
  if (parent) parent.append(node);
  return node;
}

// -- which images are shown ----------------------------------------------------------------------

let state, shown = [], open = -1;

function read() {
  state = Object.fromEntries(new FormData(tools));
  for (const key of ["split", "class", "size", "kind"]) state[key] = state[key] === "" ? -1 : +state[key];
  state.q = state.q.trim().toLowerCase();
  state.selects = state.class >= 0 || state.size >= 0;
}

const matches = code => (state.class < 0 || labelOf(code) === state.class) && (state.size < 0 || sizeOf(code) === state.size);

function admits(image) {
  const objects = counted(image);
  return (state.split < 0 || image.split === state.split)
    && (!state.q || image.name.toLowerCase().includes(state.q))
    && (!state.selects || image.objects.some(matches))
    && (state.kind < 0 || image.findings.some(f => f.kind === state.kind))
    && (state.least === "" || objects >= +state.least)
    && (state.most === "" || objects <= +state.most);
}

const ORDERS = {
  name: (a, b) => a.name.localeCompare(b.name, "en", { numeric: true }),
  objects: (a, b) => counted(b) - counted(a),
  few: (a, b) => counted(a) - counted(b),
  matches: (a, b) => b.objects.filter(matches).length - a.objects.filter(matches).length,
  findings: (a, b) => b.findings.length - a.findings.length,
  pixels: (a, b) => b.width * b.height - a.width * a.height,
};

function filter() {
  read();
  shown = data.images.filter(admits);
  if (state.sort) shown.sort(ORDERS[state.sort]);
  const objects = shown.reduce((sum, image) => sum + image.objects.filter(c => !isCrowd(c) && matches(c)).length, 0);
  $("count").textContent = `${plural(shown.length, "image")}, ${plural(objects, "object")}`;
  $("nothing").hidden = shown.length > 0;
  grid.classList.toggle("bare", !state.outlines);
  grid.replaceChildren();
  cells.clear();
  layOut();
}

// -- the grid: cells in sight exist, others do not -----------------------------------------------

const cells = new Map();
let columns = 1, width = 0, height = 0;

function layOut() {
  columns = Math.max(1, Math.floor((grid.clientWidth + GAP) / (+state.side + GAP)));
  if (grid.clientWidth < 500) columns = Math.max(columns, state.side <= 240 ? 2 : 1);
  width = (grid.clientWidth - GAP * (columns - 1)) / columns;
  height = Math.round(width * 0.75) + CAPTION;
  grid.style.height = `${Math.ceil(shown.length / columns) * (height + GAP)}px`;
  for (const [k, cell] of cells) put(cell, k);
  fill();
}

function put(cell, k) {
  cell.style.width = `${width}px`;
  cell.style.height = `${height}px`;
  cell.style.transform = `translate(${k % columns * (width + GAP)}px, ${Math.floor(k / columns) * (height + GAP)}px)`;
}

function fill() {
  const top = -grid.getBoundingClientRect().top, row = height + GAP;
  const first = Math.max(0, Math.floor(top / row) - 1) * columns;
  const last = Math.min(shown.length, (Math.ceil((top + innerHeight) / row) + 1) * columns);
  for (const [k, cell] of cells) if (k < first || k >= last) { cell.remove(); cells.delete(k); }
  for (let k = first; k < last; k++) {
    if (cells.has(k)) continue;
    const cell = cellOf(shown[k]);
    cell.addEventListener("click", () => show(k));
    put(cell, k);
    cells.set(k, cell);
    grid.append(cell);
  }
}

function cellOf(image) {
  const cell = make("button", { type: "button", class: "cell", title: image.name });
  const [w, h] = frame(image);
  const svg = make("svg", { viewBox: `0 0 ${w} ${h}`, "aria-hidden": "true" }, cell);
  drawPixels(svg, image, w, h);
  // Objects of one colour are one path: a crowded image has hundreds.
  const joined = new Map();
  image.outlines.forEach((path, k) => {
    const code = image.objects[k];
    const key = `${colourOf(code, k)} ${classOf(code)}`;
    joined.set(key, (joined.get(key) || "") + path);
  });
  for (const [key, path] of joined) {
    const [colour, ...names] = key.split(" ");
    make("path", { class: names.join(" "), d: path, fill: colour, stroke: colour }, svg);
  }
  make("b", { text: image.name }, cell);
  const found = state.selects ? `${image.objects.filter(matches).length.toLocaleString("en")} of ` : "";
  const line = make("i", { text: `${found}${plural(counted(image), "object")} · ${data.splits[image.split]}` }, cell);
  if (image.findings.length) line.append(" · ", make("em", { text: plural(image.findings.length, "finding") }));
  return cell;
}

function drawPixels(svg, image, w, h) {
  const source = thumb(image);
  if (source) return make("image", { href: source, width: w, height: h, preserveAspectRatio: "none" }, svg);
  make("text", { class: "broken", x: w / 2, y: h / 2, text: "cannot be read" }, svg);
  return null;
}

const classOf = code => `object${isCrowd(code) ? " crowd" : ""}${state.selects && !matches(code) ? " aside" : ""}`;

// -- the viewer: one picture, from near ------------------------------------------------------------

let view = [0, 0, LONG, LONG], whole = view;

function show(k) {
  open = k;
  const image = shown[k], [w, h] = frame(image);
  picture.replaceChildren();
  whole = [0, 0, w, h];
  zoom(whole);
  const pixels = drawPixels(picture, image, w, h);
  if (image.path) {
    const original = new Image();
    original.onload = () => { if (pixels && shown[open] === image) pixels.setAttribute("href", image.path); };
    original.src = image.path;
  }
  image.outlines.forEach((path, i) => {
    const code = image.objects[i], colour = colourOf(code, i);
    const node = make("path", { class: classOf(code), d: path, fill: colour, stroke: colour, "data-label": labelOf(code), "data-number": i }, picture);
    make("title", { text: `${data.classes[labelOf(code)]}, ${SIZES[sizeOf(code)]}${isCrowd(code) ? ", crowd region" : ""}` }, node);
  });
  if (!viewer.open) viewer.showModal();
  nameObjects();
  tell(image, k);
  remember();
}

function nameObjects() {
  picture.querySelectorAll("text:not(.broken)").forEach(node => node.remove());
  picture.classList.toggle("bare", !$("outlined").checked);
  if (!$("named").checked) return;
  const size = 13 * view[2] / picture.clientWidth;
  for (const node of picture.querySelectorAll(".object:not(.aside)")) {
    const box = node.getBBox();
    const text = data.classes[node.dataset.label];
    make("text", { x: box.x + box.width / 2, y: box.y + box.height / 2, "text-anchor": "middle", "dominant-baseline": "central", style: `font-size:${size}px;stroke-width:${size / 4}px`, text }, picture);
  }
}

function tell(image, k) {
  $("place").textContent = `${(k + 1).toLocaleString("en")} of ${shown.length.toLocaleString("en")}`;
  $("name").textContent = image.name;
  const hidden = image.objects.length - image.outlines.length;
  $("about").textContent = `${data.splits[image.split]} · ${image.width} × ${image.height} · ${plural(counted(image), "object")}`
    + (hidden ? ` (the ${hidden} smallest are not outlined)` : "") + (image.broken ? ` · ${image.broken}` : "");
  if (image.path) $("about").append(" · ", make("a", { href: image.path, target: "_blank", rel: "noopener", text: "original" }));
  const counts = new Map();
  image.objects.forEach(code => counts.set(labelOf(code), (counts.get(labelOf(code)) || 0) + 1));
  $("classes").replaceChildren(...[...counts].sort((a, b) => b[1] - a[1]).map(([label, count]) => {
    const item = make("li", {});
    if (data.classes.length > 1) make("i", { style: `background:${data.colours[label % data.colours.length]}` }, item);
    make("span", { text: data.classes[label] }, item);
    make("span", { text: count }, item);
    point(item, node => +node.dataset.label === label);
    return item;
  }));
  $("findings").replaceChildren(...image.findings.map(finding => {
    const [kind, severity] = data.kinds[finding.kind];
    const item = make("li", { class: severity });
    make("b", { text: kind.replaceAll("_", " ") }, item);
    item.append(finding.text);
    point(item, node => finding.objects.includes(+node.dataset.number), finding.box);
    return item;
  }));
}

function point(item, chosen, box) {
  item.addEventListener("mouseenter", () => {
    for (const node of picture.querySelectorAll(".object")) node.classList.toggle("focus", chosen(node));
    if (box) make("rect", { class: "box", x: box[0], y: box[1], width: box[2], height: box[3] }, picture);
  });
  item.addEventListener("mouseleave", () => {
    picture.querySelectorAll(".focus").forEach(node => node.classList.remove("focus"));
    picture.querySelectorAll(".box").forEach(node => node.remove());
  });
}

function zoom(box) {
  view = box;
  picture.setAttribute("viewBox", box.join(" "));
}

function pointed(event) {
  const point = new DOMPoint(event.clientX, event.clientY);
  return point.matrixTransform(picture.getScreenCTM().inverse());
}

picture.addEventListener("wheel", event => {
  event.preventDefault();
  const at = pointed(event), factor = Math.min(Math.exp(event.deltaY / 500), whole[2] / view[2]);
  zoom(factor * view[2] >= whole[2] - 1e-6 ? whole : [at.x - (at.x - view[0]) * factor, at.y - (at.y - view[1]) * factor, view[2] * factor, view[3] * factor]);
  nameObjects();
}, { passive: false });
picture.addEventListener("pointermove", event => {
  if (!event.buttons) return;
  const scale = picture.getScreenCTM().a;
  zoom([view[0] - event.movementX / scale, view[1] - event.movementY / scale, view[2], view[3]]);
});
picture.addEventListener("dblclick", () => { zoom(whole); nameObjects(); });

const turn = step => { if (shown[open + step]) show(open + step); };
viewer.addEventListener("close", () => {
  const top = Math.floor(open / columns) * (height + GAP) + grid.getBoundingClientRect().top;
  if (top < 0 || top + height > innerHeight) scrollBy(0, top - innerHeight / 3);
  open = -1;
  remember();
});
for (const [id, step] of [["before", -1], ["after", 1]]) $(id).addEventListener("click", () => turn(step));
$("close").addEventListener("click", () => viewer.close());
for (const id of ["outlined", "named"]) $(id).addEventListener("change", nameObjects);
addEventListener("keydown", event => {
  if (!viewer.open) return;
  if (event.key === "ArrowLeft") turn(-1);
  if (event.key === "ArrowRight") turn(1);
  if (event.key === "o" || event.key === "O") $("outlined").click();
  if (event.key === "n" || event.key === "N") $("named").click();
});

// -- the address holds the state -------------------------------------------------------------------

function remember() {
  const words = new URLSearchParams();
  for (const field of tools.elements) {
    if (field.type === "checkbox" ? field.checked !== field.defaultChecked : field.name && field.value !== field.initial) {
      words.set(field.name, field.type === "checkbox" ? +field.checked : field.value);
    }
  }
  if (open >= 0) words.set("open", open + 1);
  if ($("named").checked) words.set("names", 1);
  try { history.replaceState(null, "", `#${words}`); } catch { /* some browsers refuse it in files */ }
}

function recall() {
  const words = new URLSearchParams(location.hash.slice(1));
  for (const field of tools.elements) {
    if (!words.has(field.name)) continue;
    if (field.type === "checkbox") field.checked = words.get(field.name) !== "0"; else field.value = words.get(field.name);
  }
  $("named").checked = words.has("names");
  filter();
  const k = +words.get("open") - 1;
  if (shown[k]) show(k);
}

function choices(name, all, words) {
  const select = tools.elements[name];
  select.replaceChildren(new Option(all, ""), ...words.map(([text, value]) => new Option(text, value)));
  select.hidden = words.length < 2 && name !== "kind" || !words.length;
}

function begin() {
  const objects = data.classes.map(() => 0), images = data.splits.map(() => 0), found = data.kinds.map(() => 0);
  for (const image of data.images) {
    images[image.split]++;
    image.objects.forEach(code => { objects[labelOf(code)]++; });
    new Set(image.findings.map(f => f.kind)).forEach(kind => { found[kind]++; });
  }
  const told = (names, counts) => names.map((name, k) => [`${name} (${counts[k].toLocaleString("en")})`, k]).filter(([, k]) => counts[k]);
  choices("split", "All splits", told(data.splits, images));
  choices("class", "All classes", told(data.classes, objects));
  choices("kind", "With or without findings", told(data.kinds.map(([kind]) => kind.replaceAll("_", " ")), found));
  for (const field of tools.elements) field.initial = field.value;
  tools.addEventListener("input", event => {
    if (event.target.name === "side") { read(); layOut(); } else filter();
    remember();
  });
  tools.addEventListener("reset", () => setTimeout(() => { filter(); remember(); }));
  tools.addEventListener("submit", event => event.preventDefault());
  $("clear").addEventListener("click", () => tools.reset());
  let asked = 0;
  const later = job => { cancelAnimationFrame(asked); asked = requestAnimationFrame(job); };
  addEventListener("scroll", () => later(fill), { passive: true });
  addEventListener("resize", () => later(layOut));
  addEventListener("hashchange", recall);
  recall();
}

begin();
