import { startCluster } from '../support/redis.js';
import { definePart } from './conformance-parts.js';

definePart(4, 'redis-cluster', startCluster);
