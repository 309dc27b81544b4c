//! What becomes of the process when a part of it ends.

use tokio_util::sync::CancellationToken;

use crate::responder::kept;

#[tokio::test]
async fn a_keeper_that_ends_before_it_should_ends_the_process_with_an_error() {
    for (panics, why) in [(true, "panicked"), (false, "the watches have ended")] {
        let (stop, end) = (CancellationToken::new(), CancellationToken::new());
        let keeping = tokio::spawn(async move { assert!(!panics, "this is a test") });
        let error = kept(keeping, &stop, &end).await.unwrap_err().to_string();
        assert!(error.contains(why) && end.is_cancelled(), "{error}");
    }
    let stop = CancellationToken::new();
    stop.cancel();
    kept(tokio::spawn(async {}), &stop, &stop.child_token()).await.unwrap();
}
