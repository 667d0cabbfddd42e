-- The process that issues the event; null when none does.
ALTER TABLE event ADD COLUMN worker TEXT;
