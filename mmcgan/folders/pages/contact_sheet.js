"use strict";
const sheet = document.getElementById("sheet");
const photos = [...sheet.querySelectorAll(".photo")];
const search = document.getElementById("search");
const order = document.getElementById("order");
const store = `mmcgan ticks ${sheet.dataset.id}`;
const ticks = readTicks(); // file → {word: "right" | "wrong"}

function readTicks() {
  try {
    return new Map(JSON.parse(localStorage.getItem(store)) || []);
  } catch {
    return new Map(); // a browser may keep nothing for pages of the file system
  }
}

function keepTicks() {
  try {
    localStorage.setItem(store, JSON.stringify([...ticks]));
  } catch {
    // The ticks are on the page until it is closed.
  }
}

const said = (file, word) => new Map(ticks.get(file) || []).get(word);

function tick(file, word, says) {
  const words = new Map(ticks.get(file) || []);
  if (words.get(word) === says) words.delete(word);
  else words.set(word, says);
  if (words.size) ticks.set(file, [...words]);
  else ticks.delete(file);
}

function showTag(file, tag) {
  const says = said(file, tag.dataset.word);
  tag.classList.toggle("is-right", says === "right");
  tag.classList.toggle("is-wrong", says === "wrong");
  for (const button of tag.querySelectorAll(".tick"))
    button.setAttribute("aria-pressed", String(button.dataset.says === says));
}

function showCount() {
  const n = [...ticks.values()].reduce((sum, words) => sum + words.length, 0);
  document.getElementById("count").textContent = `${n} ${n === 1 ? "tick" : "ticks"}`;
  document.getElementById("export").disabled = !n;
}

// The words as a person types them: spaces for underscores, in lower case.
const plain = (text) => text.replaceAll("_", " ").trim().toLowerCase();

function found(photo, wanted) {
  return [...photo.querySelectorAll(".tag")].filter((tag) => plain(tag.dataset.word).includes(wanted));
}

function arrange() {
  const wanted = plain(search.value);
  const scores = new Map();
  for (const photo of photos) {
    const tags = found(photo, wanted);
    for (const tag of photo.querySelectorAll(".tag"))
      tag.classList.toggle("is-found", Boolean(wanted) && tags.includes(tag));
    photo.hidden = Boolean(wanted) && !tags.length;
    scores.set(photo, Math.max(0, ...tags.map((tag) => Number(tag.dataset.score))));
  }
  const sign = { best: -1, least: 1, given: 0 }[order.value];
  const sorted = [...photos].sort((a, b) => sign * (scores.get(a) - scores.get(b)));
  sheet.append(...sorted);
  const shown = photos.filter((photo) => !photo.hidden).length;
  document.getElementById("shown").textContent = `${shown} of ${photos.length} photos`;
}

const quoted = (text) => `"${text.replaceAll('"', '""')}"`;
const listed = (words) => words.map((word) => word.replaceAll(/[,;]/g, "\\$&")).join(",");

function table() {
  const rows = [...ticks].map(([file, words]) => {
    const those = (says) => listed(words.filter(([, s]) => s === says).map(([word]) => word));
    return [file, those("right"), those("wrong")].map(quoted).join(",");
  });
  return ["file,tags,not", ...rows].join("\r\n") + "\r\n";
}

function exportTicks() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([table()], { type: "text/csv" }));
  link.download = "mmcgan.tags.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

sheet.addEventListener("click", (event) => {
  const button = event.target.closest(".tick");
  if (!button) return;
  const file = button.closest(".photo").dataset.file;
  const tag = button.closest(".tag");
  tick(file, tag.dataset.word, button.dataset.says);
  showTag(file, tag);
  showCount();
  keepTicks();
});
search.addEventListener("input", arrange);
order.addEventListener("change", arrange);
document.getElementById("export").addEventListener("click", exportTicks);

for (const photo of photos)
  for (const tag of photo.querySelectorAll(".tag")) {
    tag.style.setProperty("--share", tag.dataset.score);
    showTag(photo.dataset.file, tag);
  }
showCount();
arrange();
