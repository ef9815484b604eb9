import { z } from 'zod';
import type { FreezeWindow } from '../domain/bundle.ts';
import { duration } from './duration.ts';

const window: z.ZodType<FreezeWindow> = z
  .strictObject({
    from: z
      .string()
      .min(1)
      .describe('When it begins, as cron in its time zone: minute, hour, day of the month, month, weekday; 0 18 * * FRI is Friday at 18:00'),
    for: duration.describe('How long it lasts, as time that passes: 62h'),
    timeZone: z.string().min(1).describe('IANA name, such as Europe/Berlin'),
    reason: z.string().min(1).max(200).describe('Why, for whoever finds a push parked'),
  })
  .transform(({ for: forMs, ...rest }) => ({ ...rest, forMs }));

/** Times in which nothing is written without force; each that is open denies. */
export const freeze = z.array(window).max(100).describe('Times in which nothing is written without force; whichever is open denies');
