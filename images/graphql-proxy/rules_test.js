'use strict';
// Run in the image: node /opt/graphql/rules_test.js
const assert = require('node:assert');
const { read, measure, allow } = require('./rules.js');

const of = (text, variables, name) => measure(read(text), name, variables);
const refused = (act, code) => assert.throws(act, (error) => error.code === code);

assert.deepStrictEqual(of('{ a { b } c }'), { depth: 2, cost: 3, introspects: false, kind: 'query' });
assert.strictEqual(of('{ a(first: 10) { b { c } } }').cost, 21);
assert.strictEqual(of('query ($n: Int) { a(first: $n) { b } }', { n: 5 }).cost, 6);
assert.strictEqual(of('query ($n: Int) { a(first: $n) { b } }').cost, 101, 'what is not said is taken as long');
assert.strictEqual(of('{ ...f } fragment f on Q { a { b { c } } }').depth, 3);
assert.strictEqual(of('mutation { a }').kind, 'mutation');
assert.ok(of('{ ...f } fragment f on Q { __schema { types { name } } }').introspects);
assert.ok(!of('{ a { __typename } }').introspects);
refused(() => of('{ ...f } fragment f on Q { a { ...f } }'), 'GRAPHQL_VALIDATION_FAILED');
refused(() => of('query A { a } query B { b }'), 'OPERATION_RESOLUTION_FAILURE');
assert.strictEqual(of('query A { a } query B { b { c } }', {}, 'B').depth, 2);
refused(() => read('{ a '), 'GRAPHQL_PARSE_FAILED');
refused(() => read('{' + 'a '.repeat(6000) + '}'), 'GRAPHQL_PARSE_FAILED');
// Each fragment uses the next twice: two to the power of fifty fields, measured at once.
let tower = '{ ...f0 }';
for (let i = 0; i < 50; i += 1) tower += ` fragment f${i} on Q { ${i < 49 ? `a { ...f${i + 1} } b { ...f${i + 1} }` : 'x'} }`;
assert.strictEqual(of(tower).cost, 1e9);
const settings = { maxDepth: 2, maxComplexity: 10, introspection: false };
allow(of('{ a { b } }'), settings);
refused(() => allow(of('{ a { b { c } } }'), settings), 'DEPTH_LIMIT_EXCEEDED');
refused(() => allow(of('{ a(first: 20) { b } }'), settings), 'COMPLEXITY_LIMIT_EXCEEDED');
refused(() => allow(of('{ __schema { types { name } } }'), settings), 'INTROSPECTION_DISABLED');
refused(() => allow(of('subscription { a }'), settings), 'SUBSCRIPTION_NOT_SUPPORTED');
// Whatever comes in, it is read or refused.
for (let i = 0; i < 3000; i += 1) {
  const letters = '{}()[]:$@!|&="\\# \n...abqueryfragmenton1';
  const text = Array.from({ length: i % 60 }, () => letters[Math.floor(Math.random() * letters.length)]).join('');
  try {
    of(text);
  } catch (error) {
    assert.ok(error.code, `${JSON.stringify(text)}: ${error.stack}`);
  }
}
process.stdout.write('rules hold\n');
