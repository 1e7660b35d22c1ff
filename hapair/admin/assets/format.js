// Numbers, spans and times in words. Pure: no document, no clock.

const whole = new Intl.NumberFormat("en", {maximumFractionDigits: 0});
const DASH = "–";

/** 1,234,567 */
export function count(value) {
  return value === null || value === undefined || Number.isNaN(value) ? DASH : whole.format(value);
}

/** Three digits that count, and k, M, G: 0, 0.25, 12.3, 1.23 k. */
export function short(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return DASH;
  const size = Math.abs(value);
  if (size < 1e-3) return "0";
  for (const [from, unit] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (size >= from * 0.99995) return `${digits(value / from)} ${unit}`;
  }
  return digits(value);
}

function digits(value) {
  const size = Math.abs(value);
  if (size >= 99.95) return whole.format(Math.round(value));
  return `${Number(value.toFixed(size >= 9.995 ? 1 : 2))}`;
}

/** 1.2 MB/s: of decimal bytes. */
export function bytesPerSecond(value) {
  const text = short(value);
  return text === DASH ? text : text.includes(" ") ? `${text}B/s` : `${text} B/s`;
}

export function perSecond(value) {
  const text = short(value);
  return text === DASH ? text : `${text}/s`;
}

/** 0.42 ms, 12 ms, 1.2 s */
export function milliseconds(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return DASH;
  return value >= 999.5 ? `${digits(value / 1000)} s` : `${digits(value)} ms`;
}

/** 4.26 / 30.8 ms: two spans that belong together. */
export function both(one, other) {
  const texts = [milliseconds(one), milliseconds(other)];
  if (texts.every((text) => text.endsWith(" ms"))) texts[0] = texts[0].slice(0, -3);
  return texts.join(" / ");
}

/** 45 s, 3 min, 2 h 5 min, 3 d 4 h */
export function span(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return DASH;
  const all = Math.max(0, Math.floor(seconds));
  if (all < 60) return `${all} s`;
  const [days, hours, minutes] = [Math.floor(all / 86400), Math.floor(all / 3600) % 24, Math.floor(all / 60) % 60];
  if (days) return hours ? `${days} d ${hours} h` : `${days} d`;
  if (hours) return minutes ? `${hours} h ${minutes} min` : `${hours} h`;
  return `${minutes} min`;
}

/** 14:02, with the day where it is not today: Nov 24, 14:02 */
export function time(epoch, now, {seconds = false} = {}) {
  const date = new Date(epoch * 1000), today = new Date(now * 1000);
  const clock = [date.getHours(), date.getMinutes(), ...(seconds ? [date.getSeconds()] : [])].map(two).join(":");
  if (date.toDateString() === today.toDateString()) return clock;
  return `${date.toLocaleDateString("en", {month: "short", day: "numeric"})}, ${clock}`;
}

function two(number) {
  return String(number).padStart(2, "0");
}

/** "1 server", "2 servers" */
export function some(number, noun) {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/** "a", "a and b", "a, b and c" */
export function list(words) {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
