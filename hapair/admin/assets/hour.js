// The last hour in samples of a second, as the charts ask for it. Pure: no document.

export const SPAN = 3600;

export class Hour {
  /** `fields`: the names of the numbers of a sample, in their order. */
  constructor(fields) {
    this.width = fields.length;
    this.places = new Map(fields.map((name, place) => [name, place]));
    this.cells = new Float32Array(SPAN * this.width).fill(NaN);
    this.end = 0; // the second of the last sample; 0: there is none
  }

  /** Samples one after the other, the oldest first; the last is that of the second `end`. */
  load(buffer, end) {
    this.cells.fill(NaN);
    const count = Math.min(SPAN, Math.floor(buffer.byteLength / 4 / this.width));
    const samples = new Float32Array(buffer, 0, count * this.width);
    for (let row = 0; row < count; row += 1) {
      const second = end - count + 1 + row;
      this.cells.set(samples.subarray(row * this.width, (row + 1) * this.width), this.place(second));
    }
    this.end = end;
  }

  place(second) {
    return (((second % SPAN) + SPAN) % SPAN) * this.width;
  }

  /** One more. Seconds that were passed over have no numbers. */
  add(second, sample) {
    if (second <= this.end) return;
    for (let missed = Math.max(this.end + 1, second - SPAN + 1); missed < second; missed += 1) {
      this.cells.fill(NaN, this.place(missed), this.place(missed) + this.width);
    }
    this.cells.set(sample.map((value) => (value === null ? NaN : value)), this.place(second));
    this.end = second;
  }

  /**
   * `columns` values of a field for the `seconds` up to the end, the oldest first: of those that fall into a column
   * the mean, or the most where `peak` is set; NaN where there is none.
   */
  columns(field, seconds, columns, peak = false) {
    const offset = this.places.get(field), made = new Float64Array(columns).fill(NaN);
    const begin = this.end - seconds + 1, each = seconds / columns;
    for (let column = 0; column < columns; column += 1) {
      const from = begin + Math.floor(column * each);
      const to = Math.max(from + 1, begin + Math.floor((column + 1) * each));
      let sum = 0, most = -Infinity, count = 0;
      for (let second = from; second < to; second += 1) {
        const value = this.cells[this.place(second) + offset];
        if (Number.isNaN(value)) continue;
        sum += value;
        if (value > most) most = value;
        count += 1;
      }
      if (count) made[column] = peak ? most : sum / count;
    }
    return made;
  }

  /** {last, mean, most} of a field over the seconds up to the end; NaN where nothing is known. */
  figures(field, seconds) {
    const offset = this.places.get(field);
    let sum = 0, most = NaN, count = 0;
    for (let second = this.end - seconds + 1; second <= this.end; second += 1) {
      const value = this.cells[this.place(second) + offset];
      if (Number.isNaN(value)) continue;
      sum += value;
      count += 1;
      if (!(most >= value)) most = value;
    }
    return {last: this.cells[this.place(this.end) + offset], mean: count ? sum / count : NaN, most};
  }
}

/** The same for an axis of powers of ten, from at most `least` to at least `most`, both more than 0. */
export function logAxis(least, most) {
  const low = Math.floor(Math.log10(least) + 1e-9), high = Math.max(low + 1, Math.ceil(Math.log10(most) - 1e-9));
  const marks = [];
  for (let power = low; power <= high; power += 1) marks.push(Number(`1e${power}`));
  return {bottom: marks[0], top: marks.at(-1), marks};
}

/** The ends of an axis from 0 to at least `most`, and 3 to 5 marks on it at round numbers. */
export function axis(most, least = 1) {
  const top = Math.max(most, least);
  const raw = top / 3, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((one) => one * 3.0001 >= top);
  const marks = [];
  for (let number = 0; number * step < top * 1.0001 || number < 2; number += 1) marks.push(Number((number * step).toPrecision(12)));
  if (marks.at(-1) < top) marks.push(Number((marks.length * step).toPrecision(12)));
  return {top: marks.at(-1), marks};
}
