// Shapes of JSON values: the vocabulary of the tables in messages.js.
//
// Pure. A shape reads nothing but the value that it is given, and names the path of what it refuses.

import { normalizeName } from './names.js';

/**
 * A shape validates one value: it returns the value to keep, or throws `Invalid`.
 * @typedef {(value: any, path: string) => any} Shape
 */

export class Invalid extends Error {}

/** @returns {Shape} */
export function check(expected, accepts) {
  return (value, path) => {
    if (!accepts(value)) throw new Invalid(`${path} is not ${expected}`);
    return value;
  };
}

export const text = check('a string', (value) => typeof value === 'string');
/** A name, normalized. @type {Shape} */
export const name = (value, path) => normalizeName(text(value, path));
export const flag = check('true or false', (value) => typeof value === 'boolean');
export const number = check('a number', (value) => Number.isFinite(value));
export const integer = check('a whole number', (value) => Number.isSafeInteger(value));
export const count = check('a whole number from 0', (value) => Number.isSafeInteger(value) && value >= 0);
/** Any value, `null` included. */
export const anyValue = Object.assign(
  check('there', (value) => value !== undefined),
  { takesNull: true },
);

/** @returns {Shape} */
export function between(min, max) {
  return check(
    `a number from ${min} to ${max}`,
    (value) => typeof value === 'number' && value >= min && value <= max,
  );
}

/** @returns {Shape} */
export function oneOf(choices) {
  return check(`one of ${choices.join(', ')}`, (value) => choices.includes(value));
}

/** @returns {Shape} */
export function listOf(shape) {
  return (value, path) => {
    if (!Array.isArray(value)) throw new Invalid(`${path} is not a list`);
    return value.map((item, at) => shape(item, `${path}[${at}]`));
  };
}

/** A field that may be absent. `null` counts as absent, unless it is a value of `shape`. */
export function optional(shape) {
  return defaulted(shape, undefined);
}

/** A field with a default value. */
export function defaulted(shape, absent) {
  const field = (value, path) => shape(value, path);
  return Object.assign(field, { absent, mayBeAbsent: true, takesNull: shape.takesNull });
}

/** Keeps the known fields and drops all others. @returns {Shape} */
export function object(fields) {
  return (value, path) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new Invalid(`${path} is not an object`);
    }
    const kept = {};
    for (const [field, shape] of Object.entries(fields)) {
      const given = Object.hasOwn(value, field) ? value[field] : undefined;
      const isAbsent = given === undefined || (given === null && !shape.takesNull);
      if (isAbsent && shape.mayBeAbsent) {
        if (shape.absent !== undefined) kept[field] = shape.absent;
      } else {
        kept[field] = shape(given, `${path}.${field}`);
      }
    }
    return kept;
  };
}
