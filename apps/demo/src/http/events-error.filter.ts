import { Catch, HttpException, HttpStatus, type ArgumentsHost } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { EventsError, type EventsErrorCode } from 'nestjs-cardinal';

const STATUS: Partial<Record<EventsErrorCode, HttpStatus>> = {
  INVALID_EVENT: HttpStatus.BAD_REQUEST,
  INVALID_EVENT_TYPE: HttpStatus.BAD_REQUEST,
  INVALID_PATTERN: HttpStatus.BAD_REQUEST,
  INVALID_OPTION: HttpStatus.BAD_REQUEST,
  PAYLOAD_TOO_LARGE: HttpStatus.PAYLOAD_TOO_LARGE,
  NO_HANDLER: HttpStatus.SERVICE_UNAVAILABLE,
  BACKEND_UNAVAILABLE: HttpStatus.SERVICE_UNAVAILABLE,
  OVERLOADED: HttpStatus.SERVICE_UNAVAILABLE,
  REQUEST_TIMEOUT: HttpStatus.GATEWAY_TIMEOUT,
};

/** What the bus refuses, as HTTP says it. The code is stable, the message says what to do. */
@Catch(EventsError)
export class EventsErrorFilter extends BaseExceptionFilter {
  override catch(error: EventsError, host: ArgumentsHost): void {
    const status = STATUS[error.code] ?? HttpStatus.INTERNAL_SERVER_ERROR;
    super.catch(new HttpException({ code: error.code, message: error.message }, status), host);
  }
}
