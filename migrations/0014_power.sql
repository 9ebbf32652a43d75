-- What agents say since they look at batteries, and say how much of the processes they could not see. NULL = the device did not say.

ALTER TABLE device ADD COLUMN on_battery INTEGER;
ALTER TABLE device ADD COLUMN processes_unread INTEGER;
