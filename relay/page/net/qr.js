// Asks the relay for the QR code of a text, as an image.

/** Timeout of the request, in ms. */
const TIMEOUT_MILLIS = 4000;

/**
 * @param {string} text
 * @param {typeof fetch} fetch
 * @returns {Promise<string | null>} the URL of an image; null if the relay makes none
 */
export async function qrImage(text, fetch = (...args) => globalThis.fetch(...args)) {
  try {
    const response = await fetch('qr', {
      method: 'POST',
      body: text,
      cache: 'no-store',
      signal: AbortSignal.timeout?.(TIMEOUT_MILLIS),
    });
    if (!response.ok) return null;
    // As an image, an SVG runs no scripts.
    return `data:image/svg+xml,${encodeURIComponent(await response.text())}`;
  } catch {
    return null;
  }
}
