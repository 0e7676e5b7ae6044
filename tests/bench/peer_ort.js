// SPDX-License-Identifier: MIT
// ONNX Runtime's side of tests/bench/peers: peer_ort.js MODULES MODEL.onnx INPUT BATCH THREADS FEATURES.
// INPUT: float32 NCHW. Answers as peer_firn.c does.
const fs = require('fs');
const path = require('path');
const readline = require('readline');

async function main() {
  const [modules, model, input, batch, threads, features] = process.argv.slice(2);
  const ort = require(path.join(modules, 'onnxruntime-node'));
  const session = await ort.InferenceSession.create(model, {
    intraOpNumThreads: Number(threads), interOpNumThreads: 1, graphOptimizationLevel: 'all',
  });
  const bytes = fs.readFileSync(input);
  const data = new Float32Array(bytes.buffer, bytes.byteOffset, Number(batch) * 3 * 224 * 224);
  const feeds = {input: new ort.Tensor('float32', data, [Number(batch), 3, 224, 224])};
  const result = (await session.run(feeds)).output.data;
  fs.writeFileSync(features, Buffer.from(result.buffer, result.byteOffset, result.byteLength));
  for await (const line of readline.createInterface({input: process.stdin})) {
    const start = process.hrtime.bigint();
    await session.run(feeds);
    process.stdout.write(`${Number(process.hrtime.bigint() - start) / 1e6}\n`);
  }
}
main().catch(error => { console.error(String(error)); process.exit(1); });
