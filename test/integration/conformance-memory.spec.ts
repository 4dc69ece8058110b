import { describe, it } from '@jest/globals';
import { defineConformanceSuite, memoryHarness, MEMORY_CAPABILITIES } from 'nestjs-cardinal/testing';

defineConformanceSuite({ describe, it }, { name: 'memory', capabilities: MEMORY_CAPABILITIES, harness: memoryHarness });
