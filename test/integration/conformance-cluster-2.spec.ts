import { startCluster } from '../support/redis.js';
import { definePart } from './conformance-parts.js';

definePart(2, 'redis-cluster', startCluster);
