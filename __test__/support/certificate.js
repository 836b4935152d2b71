'use strict';

// A self-signed certificate of localhost and 127.0.0.1 for the tests, worth nothing elsewhere. It was made by
//   openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 \
//     -subj /CN=localhost -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1'

const key = `
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgZO/xKgbpgR742uhN
MlPL7RGi5bNByjWNfo+PlTouA+ahRANCAAS1jCcmHKSbOssRlI0mVaQQrmBnSTP4
oifYMKGPA6FwpX7HP0YwHjHsDgqBdTQJNDVbHaNiKR7jGUt5nwx2DJ48
-----END PRIVATE KEY-----
`;

const cert = `
-----BEGIN CERTIFICATE-----
MIIBnDCCAUGgAwIBAgIUYmBNlnLKpTjycGOV3pWQ+GjyYAwwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMjEyNDYwOFoYDzIxMjYxMDI5
MTI0NjA4WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAS1jCcmHKSbOssRlI0mVaQQrmBnSTP4oifYMKGPA6FwpX7HP0YwHjHs
DgqBdTQJNDVbHaNiKR7jGUt5nwx2DJ48o28wbTAdBgNVHQ4EFgQUvbAPsCqoXlod
YwCwahWssUXGvowwHwYDVR0jBBgwFoAUvbAPsCqoXlodYwCwahWssUXGvowwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSQAwRgIhAJpyahbvF6lgIjYs1IwhB9dT5TvsK9KIDAuGOOeHdZutAiEA
9RF2q8TMMx8gPPZiNFKbAKz8iccQ1JFhZTzWGKs5YNQ=
-----END CERTIFICATE-----
`;

module.exports = { key, cert };
