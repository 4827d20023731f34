"use strict";
const byId = (id) => document.getElementById(id);
const MOST_TAGS = byId("k").max;
const printed = (word) => word.replaceAll("_", " ");
const percent = (score) => `${Math.round(100 * score)} %`;
const waiting = []; // photos that are yet to be sent: [file, card]
let isSending = false;

// Text reaches the page as text alone, whatever is in it.
function element(name, text, className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

async function ask(address, options) {
  const response = await fetch(address, options);
  if (response.ok) return response;
  const detail = (await response.json().catch(() => ({}))).detail;
  const problem = new Error(typeof detail === "string" ? detail : `the server said ${response.status}`);
  problem.waitSeconds = response.status === 429 ? Number(response.headers.get("Retry-After")) : 0;
  throw problem;
}

function show(card, problem) {
  const line = card.querySelector(".problem");
  line.textContent = problem ? problem.message : "";
  line.hidden = !problem;
}

// Photos are sent one after another; where the server has enough for now, it says how long.
async function send(file, card) {
  const most = Number(byId("files").dataset.maxBytes);
  if (file.size > most) {
    show(card, new Error(`the photo is larger than the limit of ${most / 2 ** 20} MiB`));
    return null;
  }
  const form = new FormData();
  form.append("photo", file);
  for (;;) {
    try {
      return await (await ask(`/tag?k=${MOST_TAGS}`, { method: "POST", body: form })).json();
    } catch (problem) {
      show(card, problem);
      if (!problem.waitSeconds) return null;
      await new Promise((resume) => setTimeout(resume, 1000 * problem.waitSeconds));
    }
  }
}

async function sendAll() {
  if (isSending) return;
  isSending = true;
  while (waiting.length) {
    byId("status").textContent = `${waiting.length} to go`;
    const [file, card] = waiting.shift();
    const answer = await send(file, card);
    if (answer) showAnswer(card, answer);
    card.removeAttribute("aria-busy");
  }
  isSending = false;
  const n = document.querySelectorAll(".answer:not([hidden])").length;
  byId("status").textContent = `${n} ${n === 1 ? "photo" : "photos"} tagged`;
}

function add(files) {
  for (const file of files) {
    const card = byId("photo").content.firstElementChild.cloneNode(true);
    const picture = card.querySelector("img");
    picture.addEventListener("error", () => { picture.hidden = true; });
    picture.src = URL.createObjectURL(file);
    card.querySelector(".name bdi").textContent = file.name;
    card.setAttribute("aria-busy", "true");
    card.dataset.name = file.name;
    byId("photos").prepend(card);
    waiting.push([file, card]);
  }
  sendAll();
}

function bar(list, score) {
  const item = list.appendChild(element("li", "", "bar"));
  item.style.setProperty("--share", score);
  return item;
}

function showAnswer(card, { photo, tags }) {
  show(card, null);
  card.dataset.key = photo;
  const list = card.querySelector(".tags");
  for (const { word, score } of tags) {
    const item = bar(list, score);
    item.dataset.score = score;
    const button = item.appendChild(element("button", ""));
    button.type = "button";
    button.dataset.word = word;
    button.setAttribute("aria-expanded", "false");
    button.append(element("bdi", printed(word)), element("span", percent(score), "share"));
  }
  card.querySelector(".answer").hidden = false;
  cut(card);
}

const limits = () => ({ k: Number(byId("k").value), threshold: Number(byId("threshold").value) / 100 });

function cut(card) {
  const { k, threshold } = limits();
  const items = [...card.querySelectorAll(".tags > li")];
  items.forEach((item, place) => {
    item.hidden = place >= k || Number(item.dataset.score) < threshold;
  });
  card.querySelector(".none").hidden = items.some((item) => !item.hidden);
}

function cutAll() {
  byId("k-shown").textContent = byId("k").value;
  byId("threshold-shown").textContent = `${byId("threshold").value} %`;
  document.querySelectorAll(".photo").forEach(cut);
}

async function draw(card) {
  const seed = Number(card.dataset.seed || 0);
  card.dataset.seed = seed + 1;
  const { n_draws, words } = await (await ask(`/photos/${card.dataset.key}/draws?seed=${seed}`)).json();
  const part = card.querySelector(".draws");
  part.querySelector("p").textContent =
    `Of ${n_draws} draws with the noise of seed ${seed}, the share that comes nearest to each word.`;
  moveBars(part.querySelector("ol"), words);
  part.hidden = false;
  card.querySelector(".draw").textContent = "Draw the noise again";
}

// A word that was there before keeps its bar, so that one sees it grow or shrink.
function moveBars(list, words) {
  const before = new Map([...list.children].map((item) => [item.dataset.word, item]));
  list.replaceChildren(...words.map(({ word, score }) => {
    const item = before.get(word) || bar(list, 0);
    item.dataset.word = word;
    item.replaceChildren(element("bdi", printed(word)), element("span", percent(score), "share"));
    requestAnimationFrame(() => item.style.setProperty("--share", score));
    return item;
  }));
}

async function showNear(card, button) {
  const word = button.dataset.word;
  const part = card.querySelector(".near");
  const isOpen = button.getAttribute("aria-expanded") === "true";
  card.querySelectorAll("[aria-expanded]").forEach((other) => other.setAttribute("aria-expanded", "false"));
  part.hidden = isOpen;
  if (isOpen) return;
  const address = `/photos/${card.dataset.key}/near?word=${encodeURIComponent(word)}`;
  const { words, photos } = await (await ask(address)).json();
  button.setAttribute("aria-expanded", "true");
  part.querySelector("h3").textContent = `Near “${printed(word)}”`;
  part.querySelector(".words").replaceChildren(...words.map((near) => {
    const item = element("li", "");
    item.append(element("bdi", printed(near.word)), " ", element("span", near.score.toFixed(2), "share"));
    return item;
  }));
  part.querySelector(".similar").replaceChildren(...photos.map(similar));
  part.scrollIntoView({ block: "nearest" });
}

function similar({ thumbnail, tags }) {
  const picture = element("img", "");
  picture.src = thumbnail;
  picture.alt = picture.title = `A photo of the training set: ${tags.map(printed).join(", ")}`;
  const item = element("li", "");
  item.append(picture);
  return item;
}

async function saveSidecar(card) {
  const { k, threshold } = limits();
  const response = await ask(`/photos/${card.dataset.key}/sidecar?k=${k}&threshold=${threshold}`);
  const link = element("a", "");
  link.href = URL.createObjectURL(await response.blob());
  link.download = `${card.dataset.name}.xmp`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

byId("photos").addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const card = button.closest(".photo");
  try {
    show(card, null);
    if (button.matches(".draw")) await draw(card);
    else if (button.matches(".save")) await saveSidecar(card);
    else await showNear(card, button);
  } catch (problem) {
    show(card, problem);
  }
});
byId("files").addEventListener("change", (event) => {
  add(event.target.files);
  event.target.value = "";
});
for (const kind of ["dragover", "dragleave", "drop"])
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    document.body.classList.toggle("is-over", kind === "dragover");
    if (kind === "drop") add(event.dataTransfer.files);
  });
for (const id of ["k", "threshold"]) byId(id).addEventListener("input", cutAll);
