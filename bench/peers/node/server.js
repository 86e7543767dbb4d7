// The stack that is replaced, as far as its limiter goes: a cluster of two workers, Express, express-rate-limit counting in
// Redis. Settings come from the environment: PORT, REDIS_PORT, LIMIT (requests in a window) and WINDOW_MS.
import cluster from 'node:cluster';
import express from 'express';
import { rateLimit } from 'express-rate-limit';
import { RedisStore } from 'rate-limit-redis';
import { createClient } from 'redis';
import { setting } from './settings.js';

const WORKERS = 2;

async function serve() {
  const redis = createClient({ socket: { host: '127.0.0.1', port: setting('REDIS_PORT') } });
  redis.on('error', (error) => console.error(`Redis: ${error.message}`)); // it connects again by itself
  await redis.connect();

  const app = express();
  app.set('trust proxy', 'loopback');
  app.get('/api/health', (request, response) => response.json({ status: 'ok' }));
  app.use('/api', rateLimit({
    limit: setting('LIMIT'),
    windowMs: setting('WINDOW_MS'),
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    store: new RedisStore({ sendCommand: (...args) => redis.sendCommand(args) }),
  }));
  app.get('/api/v1/ping', (request, response) => response.type('text/plain').send('pong'));
  app.listen(setting('PORT'), '127.0.0.1');
}

if (cluster.isPrimary) {
  for (let worker = 0; worker < WORKERS; worker++) {
    cluster.fork();
  }
  cluster.on('exit', (worker, code) => process.exit(code || 1)); // a peer with one worker would be measured for two
  process.on('SIGTERM', () => process.exit(0));
} else {
  await serve();
}
