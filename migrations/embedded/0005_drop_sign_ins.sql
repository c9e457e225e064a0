-- Browsers hold their own sign-ins under way, sealed in a cookie.
DROP TABLE sign_ins;
