'use strict';
// What an operation asks for: how deep, how much, and whether it asks for the schema itself. No I/O.

const { parse, Kind } = require('graphql');

// Beyond this a document is refused before it is measured.
const MAX_TOKENS = 5000;
// What a list is taken to have at the most, where an argument says how long it is.
const MAX_LIST = 100;
const LIST_ARGUMENTS = ['first', 'last', 'limit', 'take'];
const MOST = 1e9;

/** Why an operation is refused: a sentence for its sender and a code for programs. */
class Refused extends Error {
  constructor(code, message, status = 400) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/** Reads a document. */
function read(text) {
  try {
    return parse(text, { maxTokens: MAX_TOKENS, noLocation: true });
  } catch (error) {
    throw new Refused('GRAPHQL_PARSE_FAILED', String(error.message).slice(0, 300));
  }
}

/** How many times what is below a field is taken: what an argument says about the length of its list. */
function times(field, variables) {
  for (const argument of field.arguments ?? []) {
    if (!LIST_ARGUMENTS.includes(argument.name.value)) continue;
    const { kind, value, name } = argument.value;
    const number = kind === Kind.INT ? Number(value) : kind === Kind.VARIABLE ? Number(variables?.[name.value]) : NaN;
    if (Number.isFinite(number)) return Math.min(Math.max(Math.trunc(number), 1), MAX_LIST);
    return MAX_LIST;
  }
  return 1;
}

/** Picks the operation that is meant. */
function chosen(document, name) {
  const all = document.definitions.filter((one) => one.kind === Kind.OPERATION_DEFINITION);
  const found = name ? all.filter((one) => one.name?.value === name) : all;
  if (found.length === 1) return found[0];
  throw new Refused('OPERATION_RESOLUTION_FAILURE', all.length ? 'Say by operationName which operation is meant.' : 'The document has no operation.');
}

/**
 * Measures an operation: `depth` in fields below each other; `cost` in fields, those below a list as often as its length;
 * `kind` is query, mutation or subscription. Each fragment is measured once, so a small document cannot take long.
 */
function measure(document, operationName, variables) {
  const operation = chosen(document, operationName);
  const fragments = new Map();
  for (const one of document.definitions) if (one.kind === Kind.FRAGMENT_DEFINITION) fragments.set(one.name.value, one);
  const measured = new Map();
  const ofFragment = (name) => {
    if (measured.get(name) === null) throw new Refused('GRAPHQL_VALIDATION_FAILED', `The fragment ${name} contains itself.`);
    if (!measured.has(name)) {
      const fragment = fragments.get(name);
      if (!fragment) throw new Refused('GRAPHQL_VALIDATION_FAILED', `There is no fragment ${name}.`);
      measured.set(name, null);
      measured.set(name, of(fragment.selectionSet));
    }
    return measured.get(name);
  };
  const of = (set) => {
    const sum = { depth: 0, cost: 0, introspects: false };
    for (const one of set?.selections ?? []) {
      let part;
      if (one.kind === Kind.FIELD) {
        const below = of(one.selectionSet);
        const introspects = ['__schema', '__type'].includes(one.name.value) || below.introspects;
        part = { depth: below.depth + 1, cost: 1 + times(one, variables) * below.cost, introspects };
      } else {
        part = one.kind === Kind.INLINE_FRAGMENT ? of(one.selectionSet) : ofFragment(one.name.value);
      }
      sum.depth = Math.max(sum.depth, part.depth);
      sum.cost = Math.min(sum.cost + part.cost, MOST);
      sum.introspects ||= part.introspects;
    }
    return sum;
  };
  return { ...of(operation.selectionSet), kind: operation.operation };
}

/** Refuses what the settings do not allow. */
function allow(measured, settings) {
  if (measured.kind === 'subscription') throw new Refused('SUBSCRIPTION_NOT_SUPPORTED', 'Subscriptions are not forwarded.');
  if (measured.introspects && !settings.introspection) throw new Refused('INTROSPECTION_DISABLED', 'The schema cannot be asked for here.', 403);
  if (measured.depth > settings.maxDepth) {
    throw new Refused('DEPTH_LIMIT_EXCEEDED', `The operation is ${measured.depth} fields deep; at most ${settings.maxDepth} are allowed.`);
  }
  if (measured.cost > settings.maxComplexity) {
    throw new Refused('COMPLEXITY_LIMIT_EXCEEDED', `The operation costs ${measured.cost} fields; at most ${settings.maxComplexity} are allowed.`);
  }
}

module.exports = { Refused, read, measure, allow };
