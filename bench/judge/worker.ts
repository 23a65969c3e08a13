import { parentPort } from 'node:worker_threads';
import { Part, runPart } from './cutover';

// Simulates the parts that it is handed, one after the other.
parentPort?.on('message', (part: Part) => parentPort?.postMessage(runPart(part)));
