// The stack that is replaced, as far as its realtime goes: a cluster of two workers, Socket.IO with its Redis adapter. Only
// WebSockets are offered, so no connection has to stick to a worker. Settings come from the environment: PORT, REDIS_PORT.
import cluster from 'node:cluster';
import { createServer } from 'node:http';
import { createAdapter } from '@socket.io/redis-adapter';
import { createClient } from 'redis';
import { Server } from 'socket.io';
import { setting } from './settings.js';

const WORKERS = 2;
const BODY_BYTES_MAX = 10_000;

async function connect() {
  const redis = createClient({ socket: { host: '127.0.0.1', port: setting('REDIS_PORT') } });
  redis.on('error', (error) => console.error(`Redis: ${error.message}`)); // it connects again by itself
  await redis.connect();
  return redis;
}

async function readJson(request) {
  let body = '';
  for await (const chunk of request) {
    body += chunk;
    if (body.length > BODY_BYTES_MAX) {
      throw new Error('The body is too long.');
    }
  }
  return JSON.parse(body);
}

async function serve() {
  const http = createServer(async (request, response) => {
    if (request.url === '/api/health') {
      response.end('{"status":"ok"}');
    } else if (request.url === '/api/v1/operations/broadcast' && request.method === 'POST') {
      const { text } = await readJson(request);
      io.emit('broadcast', { text, sentAt: new Date() });
      response.writeHead(202).end();
    } else {
      response.writeHead(404).end();
    }
  });
  const io = new Server(http, { transports: ['websocket'], serveClient: false });
  io.adapter(createAdapter(await connect(), await connect()));
  io.on('connection', (socket) => {
    socket.on('join', async (room, acknowledge) => {
      await socket.join(room);
      socket.data.room = room;
      acknowledge();
    });
    socket.on('chat', (clientMessageId, text, acknowledge) => {
      io.to(socket.data.room).emit('chat', { room: socket.data.room, from: socket.id, clientMessageId, text, sentAt: new Date() });
      acknowledge();
    });
  });
  http.listen(setting('PORT'), '127.0.0.1');
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
