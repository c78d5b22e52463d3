// Asks the relay for the QR code of a text, as an image.

/** Timeout of a request, in ms. */
const TIMEOUT_MILLIS = 4000;

/** Most requests for one image, and the delay after status 429, in ms: the relay makes a few codes a second for
 * all pages together, and after its restart all ask at once. */
const MAX_REQUESTS = 5;
const RETRY_MILLIS = 1000;

/**
 * @param {string} text
 * @param {typeof fetch} fetch
 * @param {typeof setTimeout} setTimer
 * @returns {Promise<string | null>} the URL of an image; null if the relay makes none
 */
export async function qrImage(
  text,
  fetch = (...args) => globalThis.fetch(...args),
  setTimer = (...args) => globalThis.setTimeout(...args),
) {
  try {
    for (let requests = 1; ; requests += 1) {
      const response = await fetch('qr', {
        method: 'POST',
        body: text,
        cache: 'no-store',
        signal: AbortSignal.timeout?.(TIMEOUT_MILLIS),
      });
      // As an image, an SVG runs no scripts.
      if (response.ok) return `data:image/svg+xml,${encodeURIComponent(await response.text())}`;
      if (response.status !== 429 || requests === MAX_REQUESTS) return null;
      await new Promise((resolve) => setTimer(resolve, RETRY_MILLIS));
    }
  } catch {
    return null;
  }
}
