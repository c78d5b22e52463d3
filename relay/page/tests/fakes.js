// Fakes for the tests of the session: objects that record their calls.

/**
 * An object whose methods record their calls in `log`, as `[name.method, ...arguments]`.
 * @param {string} name
 * @param {any[][]} log
 * @param {object} own properties and methods with a behaviour of their own
 */
export function recorder(name, log, own = {}) {
  return new Proxy(own, {
    get(target, method) {
      if (method in target) return target[method];
      return (...args) => {
        log.push([`${name}.${String(method)}`, ...args]);
      };
    },
  });
}

/** The calls of one method, each as its arguments. */
export function callsOf(log, method) {
  return log.filter(([called]) => called === method).map(([, ...args]) => args);
}
