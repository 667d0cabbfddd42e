//! What verification costs, beside a bare P-256 verification: `cargo bench --bench verification`.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark stops at its first mistake"
)]

mod example;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use mediator_ddcc::codes::CodeForm;
use mediator_ddcc::signing::Algorithm;
use mediator_ddcc::verification::image::read_codes;
use mediator_ddcc::verification::{TrustedKeys, check_issued, verify};

use example::ExampleSigner;

fn verification(criterion: &mut Criterion) {
    let signer = ExampleSigner::new();
    let (issuer, set) = (example::issuer(), example::core_data_set());
    let (at, context) = (
        example::issued_at(),
        example::context(&issuer, &signer, &set),
    );
    let signature = signer.sign(b"message");
    criterion.bench_function("bare P-256 verification", |bencher| {
        bencher.iter(|| {
            let certificate = black_box(&signer.identity.certificate);
            assert!(certificate.verify(Algorithm::Es256, b"message", &signature));
        });
    });

    let keys: TrustedKeys = [signer.identity.certificate.clone()].into_iter().collect();
    for form in CodeForm::ALL {
        let code = signer.code(form, &context);
        let mut group = criterion.benchmark_group(form.as_str());
        group.bench_function("verify", |bencher| {
            bencher.iter(|| assert!(verify(black_box(&code.text), &keys, at).valid));
        });
        group.bench_function("check before it leaves", |bencher| {
            bencher.iter(|| check_issued(black_box(&code), &signer.identity, at).unwrap());
        });
        group.bench_function("read from PNG", |bencher| {
            bencher.iter(|| read_codes(black_box(&code.png)).unwrap());
        });
        group.finish();
    }
}

criterion_group!(benches, verification);
criterion_main!(benches);
