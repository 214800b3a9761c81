package tpm

// example is the file of a key that Create has made once, in a TPM that is no more.
const example = `-----BEGIN TSS2 PRIVATE KEY-----
MIHyBgZngQUKAQOgAwEB/wIEQAAAAQRaAFgAIwALAAQEcgAAABAAGAALAAMAEAAg
8Si3jFpWYvfjT7hRRVryzw7jvnTvJHBkQrI+3g8BNv4AILGMAKbU4WGqLfiBJTqf
gvS2z0d1I0EFKTyiFbFTRlf3BIGAAH4AIFxbmQXm5F2FlwyIXdDm8Bb/gW9hXixv
YuzsEBZX+ApQABDZC2GeRR/PONETVgcG5B5LThq9A7Jh3f9GxFi1rp3n8kSv/GEX
2tiokcY9/iNzmPQTIbwERWKeKAiMb9pl7fFtntYJrFkxJibrCZGBgPffhkAWS7wL
E8ObVkw=
-----END TSS2 PRIVATE KEY-----
`
