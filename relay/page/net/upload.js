// Sends a file by PUT, with progress: `fetch` reports none for what it sends.

/**
 * @typedef {object} Sending
 * @property {Promise<{status: number, text: string}>} answer status 0 if the connection broke off
 * @property {() => void} abort
 */

/**
 * @param {string} path relative to the page
 * @param {Blob} file
 * @param {(sentBytes: number) => void} onProgress
 * @returns {Sending}
 */
export function putFile(path, file, onProgress) {
  const request = new XMLHttpRequest();
  const answer = new Promise((resolve) => {
    request.upload.onprogress = ({ loaded }) => onProgress(loaded);
    // Whatever ends it, and whether or not the relay has answered.
    request.onloadend = () => resolve({ status: request.status, text: request.responseText });
  });
  request.open('PUT', path);
  request.send(file);
  return { answer, abort: () => request.abort() };
}
