// Draws the waveform of a sound on a canvas: its peaks as bars around the middle, or one wave of a tone.

/** Width of a bar with the gap behind it, in CSS pixels. */
const BAR_PIXELS = 4;
const GAP_PIXELS = 1.5;

/** Height of the bar of silence, in CSS pixels. */
const LEAST_PIXELS = 2;

/** Height of a tone at a phase from 0 to 1, from -1 to 1. */
const WAVES = {
  sine: (phase) => Math.sin(2 * Math.PI * phase),
  triangle: (phase) => (2 / Math.PI) * Math.asin(Math.sin(2 * Math.PI * phase)),
  saw: (phase) => 2 * ((phase + 0.5) % 1) - 1,
  square: (phase) => (phase % 1 < 0.5 ? 1 : -1),
};

/** Sizes the canvas for the screen. @returns {CanvasRenderingContext2D | null} null while it is not shown */
function prepare(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  if (width === 0 || height === 0) return null;
  const ratio = globalThis.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext('2d');
  context.scale(ratio, ratio);
  const color = getComputedStyle(canvas).color;
  context.fillStyle = color;
  context.strokeStyle = color;
  return context;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Float32Array | undefined} peaks from 0 to 1; a flat line if they are not known yet
 */
export function drawPeaks(canvas, peaks) {
  const context = prepare(canvas);
  if (!context) return;
  const { clientWidth: width, clientHeight: height } = canvas;
  const bars = Math.max(1, Math.floor((width + GAP_PIXELS) / BAR_PIXELS));
  context.beginPath();
  for (let bar = 0; bar < bars; bar += 1) {
    // Peaks between two bars count for the first one.
    let peak = 0;
    const bins = peaks?.length ?? 0;
    const from = Math.floor((bar * bins) / bars);
    const to = Math.max(from + 1, Math.floor(((bar + 1) * bins) / bars));
    for (let bin = from; bin < to && bin < bins; bin += 1) peak = Math.max(peak, peaks[bin]);
    // Quiet parts stay visible: the height is the root of the level.
    const size = Math.max(LEAST_PIXELS, Math.sqrt(peak) * height);
    const barWidth = BAR_PIXELS - GAP_PIXELS;
    const left = (bar * (width + GAP_PIXELS)) / bars;
    if (context.roundRect) context.roundRect(left, (height - size) / 2, barWidth, size, barWidth / 2);
    else context.rect(left, (height - size) / 2, barWidth, size);
  }
  context.fill();
}

/** @param {HTMLCanvasElement} canvas @param {string} shape */
export function drawTone(canvas, shape) {
  const context = prepare(canvas);
  if (!context) return;
  const { clientWidth: width, clientHeight: height } = canvas;
  context.lineWidth = 2.5;
  context.lineJoin = 'round';
  context.lineCap = 'round';
  context.beginPath();
  for (let x = 2; x <= width - 2; x += 1) {
    const phase = (2 * (x - 2)) / (width - 4);
    const y = height / 2 - WAVES[shape](phase) * (height / 2 - 3) * 0.8;
    if (x === 2) context.moveTo(x, y);
    else context.lineTo(x, y);
  }
  context.stroke();
}
