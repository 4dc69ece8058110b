import { startCluster } from '../support/redis.js';
import { definePart } from './conformance-parts.js';

definePart(3, 'redis-cluster', startCluster);
