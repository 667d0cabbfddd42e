//! What a document costs beside a bare P-256 signature: `cargo bench --bench document`.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark stops at its first mistake"
)]

mod example;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use futures::FutureExt as _;
use mediator_ddcc::codes::{CodeForm, IssuedCode};
use mediator_ddcc::document::registration::provide_document_bundle;
use mediator_ddcc::document::{DocumentInput, assemble, codes, signature};
use mediator_ddcc::transformer::{EmbeddedTransformer, Transformer as _};
use serde_json::json;
use uuid::Uuid;

use example::ExampleSigner;

/// Bytes of a card.
const CARD: usize = 50_000;

fn document(criterion: &mut Criterion) {
    let signer = ExampleSigner::new();
    signer.measure_bare_signature(criterion);
    let (issuer, set) = (example::issuer(), example::core_data_set());
    let context = example::context(&issuer, &signer, &set);
    let transaction = EmbeddedTransformer::builtin()
        .unwrap()
        .transform(
            "http://smart.who.int/ddcc/StructureMap/CoreDataSetVSToAddBundle",
            &json!(set),
            Uuid::nil(),
        )
        .now_or_never()
        .unwrap()
        .unwrap();
    let codes: Vec<IssuedCode> = CodeForm::ALL
        .into_iter()
        .map(|form| signer.code(form, &context))
        .collect();
    let card: Vec<u8> = (0..CARD).map(|index| (index * 7 % 251) as u8).collect();
    let input = |transaction, card| DocumentInput {
        document_id: Uuid::from_u128(9),
        issued_at: context.issued_at,
        core_data_set: &set,
        transaction,
        codes: &codes,
        card,
        signer: &signer.identity,
    };
    for (name, card) in [
        ("assemble", None),
        ("assemble with card", Some(card.as_slice())),
    ] {
        criterion.bench_function(name, |bencher| {
            bencher.iter_batched(
                || transaction.clone(),
                |transaction| assemble(input(transaction, card)).unwrap(),
                BatchSize::SmallInput,
            );
        });
    }

    let unsigned = assemble(input(transaction.clone(), Some(&card))).unwrap();
    criterion.bench_function("sign", |bencher| {
        bencher.iter(|| signer.sign(unsigned.to_be_signed()));
    });
    let signature = signer.sign(unsigned.to_be_signed());
    criterion.bench_function("finish", |bencher| {
        bencher.iter_batched(
            || assemble(input(transaction.clone(), Some(&card))).unwrap(),
            |unsigned| unsigned.finish(&signature).unwrap(),
            BatchSize::SmallInput,
        );
    });
    let document = unsigned.finish(&signature).unwrap();
    criterion.bench_function("serialize", |bencher| {
        bencher.iter(|| document.bundle().to_string());
    });
    let request = json!({"resourceType": "QuestionnaireResponse", "status": "completed"});
    criterion.bench_function("registration", |bencher| {
        bencher.iter(|| {
            let registration =
                provide_document_bundle(&document, &set, request.clone(), None).unwrap();
            registration.into_transaction()
        });
    });
    let certificates = [signer.identity.certificate.clone()];
    criterion.bench_function("verify", |bencher| {
        bencher.iter(|| signature::verify(document.bundle(), &certificates).unwrap());
    });
    criterion.bench_function("read codes", |bencher| {
        bencher.iter(|| codes::read(document.bundle()));
    });
}

criterion_group!(benches, document);
criterion_main!(benches);
