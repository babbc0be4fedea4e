// Elements, and figures as text.
// Everything that comes from the server is untrusted: it reaches the page through textContent,
// attributes of SVG numbers and class names from fixed lists, never as markup.

export const SVG = "http://www.w3.org/2000/svg";
export const byId = (id) => document.getElementById(id);
export const make = (tag, className, parent) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (parent) parent.appendChild(element);
  return element;
};
export const setText = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};
export const setClass = (element, name) => {
  if (element.className !== name) element.className = name;
};

export const DASH = "\u2013";
export const known = (v) => typeof v === "number" && Number.isFinite(v) && v >= 0;
export const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
export const number = (v) => {
  if (!known(v)) return DASH;
  if (v === 0) return "0";
  return v >= 100 ? grouped.format(v) : v >= 10 ? v.toFixed(1) : v.toFixed(2);
};
export const bytes = (v) => {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;
  while (v >= 1024 && i < units.length - 1) { v /= 1024; i++; }
  return (i === 0 ? v : v >= 100 ? v.toFixed(0) : v.toFixed(1)) + " " + units[i];
};
export const duration = (s) => {
  const two = (n) => String(n).padStart(2, "0");
  const d = Math.floor(s / 86400), h = Math.floor(s / 3600) % 24, m = Math.floor(s / 60) % 60;
  return (d > 0 ? d + " d " : "") + two(h) + ":" + two(m) + ":" + two(s % 60);
};
export const percent = (v) => Math.round(Math.min(1, Math.max(0, v || 0)) * 100) + " %";
export const share = (v) => (100 * v).toFixed(1) + " %";
