/** Common names for events about users; publish them with payloads of your own. */
export const UserEvents = Object.freeze({
  Login: 'user.login',
  Logout: 'user.logout',
  Registered: 'user.registered',
});

/** Common names for events about data; publish them with payloads of your own. */
export const DataEvents = Object.freeze({
  Created: 'data.created',
  Updated: 'data.updated',
  Deleted: 'data.deleted',
});

/** Names of events about scheduled tasks. */
export const CronEvents = Object.freeze({
  /** A task was registered. */
  TaskCreated: 'cron.task.created',
  /** A task was changed. */
  TaskUpdated: 'cron.task.updated',
  /** A task was removed. */
  TaskDeleted: 'cron.task.deleted',
  /** A run began. */
  TaskExecuted: 'cron.task.executed',
  /** A run ended with an error. */
  TaskFailed: 'cron.task.failed',
  /** A run ended well. */
  TaskCompleted: 'cron.task.completed',
});
